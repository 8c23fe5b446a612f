package load

import (
	"encoding/binary"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stamped asks the kernel to stamp what comes in on conn (SO_TIMESTAMPNS,
// socket(7)). Where it can't, conn is given back as it is.
func stamped(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	refused := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	})
	if refused != nil || err != nil {
		return conn
	}
	return &stampedConn{Conn: conn, raw: raw, control: make([]byte, unix.CmsgSpace(16))}
}

// Read is that of the connection. The stamp of a read is that of its last
// packet: what came before it is taken for later than it was, never for earlier.
func (c *stampedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var n, controls int
	var err error
	failed := c.raw.Read(func(fd uintptr) bool {
		for {
			n, controls, _, _, err = unix.Recvmsg(int(fd), p, c.control, 0)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: err}
	case n == 0:
		return 0, io.EOF
	}
	c.at = 0
	if ns, ok := stampOf(c.control[:controls]); ok {
		// The stamp is by the wall clock, which is read once more to get its age.
		c.at = nowUS() - max(0, time.Now().UnixNano()-ns)/1000
	}
	return n, nil
}

// stampOf is the stamp among the control messages of a read, ns of the wall
// clock.
func stampOf(control []byte) (ns int64, ok bool) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		// A struct timespec of two 64-bit numbers.
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			s, rest := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
			return int64(s)*int64(time.Second) + int64(rest), s > 0
		}
	}
	return 0, false
}
