package live

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/wire"
)

// Buffers of one connection, in bytes. Nearly all frames of clients fit
// readBuffer; larger ones are read in pieces. The write buffer is borrowed
// from a pool for each write and holds the header only: payloads go to the
// kernel from where they are.
const (
	readBuffer  = 512
	writeBuffer = 256
)

func newUpgrader() websocket.Upgrader {
	return websocket.Upgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   readBuffer,
		WriteBufferSize:  writeBuffer,
		WriteBufferPool:  &sync.Pool{},
		Subprotocols:     []string{wire.Subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // the HTTP edge has done it
	}
}
