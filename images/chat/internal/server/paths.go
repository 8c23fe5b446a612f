package server

// socketPath is where WebSockets are opened.
const socketPath = "/ws"

// votePath and messagePath are the patterns of one message's resources.
const (
	messagePath = "/api/v1/messages/{id}"
	votePath    = messagePath + "/vote"
)
