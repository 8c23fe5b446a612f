package wire

// CloseCode is the number in a WebSocket close frame.
type CloseCode int

// The codes this server sends. A client reconnects, with jittered exponential
// back-off, after all of them but CloseTooManyBadFrames and
// CloseSignedOut.
const (
	CloseNormal           CloseCode = 1000
	CloseGoingAway        CloseCode = 1001
	CloseUnsupportedData  CloseCode = 1003 // binary frames
	CloseInvalidPayload   CloseCode = 1007 // text that is not UTF-8
	CloseTooBig           CloseCode = 1009 // a frame over MaxFrame
	CloseNoHello          CloseCode = 4000
	CloseTooSlow          CloseCode = 4001
	CloseTooManyBadFrames CloseCode = 4002
	CloseTooMany          CloseCode = 4003 // limit of connections
	CloseSignedOut        CloseCode = 4004 // not signed in (any more)
)

// Reason is the text beside the code.
func (c CloseCode) Reason() string {
	switch c {
	case CloseNormal:
		return ""
	case CloseGoingAway:
		return "going away: reconnect"
	case CloseUnsupportedData:
		return "send text frames"
	case CloseInvalidPayload:
		return "send valid UTF-8"
	case CloseTooBig:
		return "frame too big"
	case CloseNoHello:
		return "no hello in time"
	case CloseTooSlow:
		return "too slow a reader: reconnect and resume"
	case CloseTooManyBadFrames:
		return "too many bad frames"
	case CloseSignedOut:
		return "not signed in (any more): sign in, then connect"
	case CloseTooMany:
		return "limit of connections"
	}
	return ""
}
