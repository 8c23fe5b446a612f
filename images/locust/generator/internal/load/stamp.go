package load

import (
	"net"
	"syscall"
)

// stampedConn is a TCP connection that knows when the kernel had what was read
// last: the time until this process gets to it is not the chat's. Made by
// stamped. Read and arrived belong to the reading goroutine.
type stampedConn struct {
	net.Conn
	raw     syscall.RawConn
	control []byte
	// at is when the kernel had what was read last, by nowUS; 0: it did not say.
	at int64
}

// arrived is how long ago the kernel had what was read last, µs; known is false
// where the kernel does not say.
func arrived(conn net.Conn) (ago int64, known bool) {
	c, ok := conn.(*stampedConn)
	if !ok || c.at == 0 {
		return 0, false
	}
	return max(0, nowUS()-c.at), true
}
