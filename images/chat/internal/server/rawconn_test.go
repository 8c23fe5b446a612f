package server_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// First bytes of WebSocket frames (RFC 6455, 5.2).
const (
	fin          = 0x80
	opContinue   = 0x0
	opText       = 0x1
	opBinary     = 0x2
	opClose      = 0x8
	opPing       = 0x9
	opPong       = 0xa
	maskedBit    = 0x80
	maxControl   = 125
	maxClientMsg = 64 << 10
)

// mask is the key of all masked frames; its bytes differ, so that a server
// that unmasks wrongly is found out.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// frame makes a masked client frame of minimal length.
func frame(first byte, payload string) []byte {
	return frameWith(first, payload, mask, lengthFor(len(payload)))
}

// frameWith makes a masked frame with a length field of the caller's.
func frameWith(first byte, payload string, key [4]byte, length []byte) []byte {
	b := append([]byte{first, length[0] | maskedBit}, length[1:]...)
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

// lengthFor is the shortest length field: 1, 3 or 9 bytes.
func lengthFor(n int) []byte {
	switch {
	case n <= 125:
		return []byte{byte(n)}
	case n <= 0xffff:
		return length16(n)
	}
	return length64(uint64(n))
}

func length16(n int) []byte    { return binary.BigEndian.AppendUint16([]byte{126}, uint16(n)) }
func length64(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{127}, n) }

// unmasked makes a frame as a server would send it, which a client must not.
func unmasked(first byte, payload string) []byte {
	return append(append([]byte{first}, lengthFor(len(payload))...), payload...)
}

func text(payload string) []byte { return frame(fin|opText, payload) }

// closing is the payload of a close frame.
func closing(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// rawConn is a client without manners: it sends the bytes it is given.
type rawConn struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

// request is an upgrade request, complete; headers replace those of the same
// name, and an empty value removes one.
func request(host string, headers map[string]string) string {
	all := map[string]string{
		"Host": host, "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
	for name, value := range headers {
		all[name] = value
	}
	var b strings.Builder
	b.WriteString("GET /ws HTTP/1.1\r\n")
	for name, value := range all {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// dialRaw connects and sends a request, and gives the answer's head.
func dialRaw(t testing.TB, p *pod, headers map[string]string) (*rawConn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &rawConn{Conn: conn, t: t, br: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	c.write([]byte(request(p.addr, headers)))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		conn.Close()
		t.Fatalf("read the answer to the upgrade: %v", err)
	}
	return c, resp
}

// openRaw connects and upgrades.
func openRaw(t testing.TB, p *pod) *rawConn {
	t.Helper()
	c, resp := dialRaw(t, p, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		c.Close()
		t.Fatalf("upgrade is answered %s", resp.Status)
	}
	return c
}

// write sends bytes. The server may have hung up in the middle: what it said
// before that is still there to be read.
func (c *rawConn) write(b []byte) { _, _ = c.Conn.Write(b) }

// ended reports whether what read gave is the end of the socket.
func ended(got string) bool { return got == "eof" || got == "reset" }

// read gives the next frame in words: "text {…}", "ping x", "pong x",
// "close 1000 reason" (1005: no code), "eof" at the end of the stream, or
// "reset": the server closed a socket it had not read, and a client in the
// middle of sending may lose the close frame that went before.
func (c *rawConn) read() (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return "eof", nil
		}
		if errors.Is(err, syscall.ECONNRESET) {
			return "reset", nil
		}
		return "", err
	}
	if head[0]&fin == 0 || head[0]&0x70 != 0 || head[1]&maskedBit != 0 {
		return "", fmt.Errorf("frame starts %x: fragmented, with reserved bits, or masked", head)
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var b [2]byte
		_, _ = io.ReadFull(c.br, b[:]) // an error shows below
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, _ = io.ReadFull(c.br, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(c.br, payload); err != nil {
		return "", err
	}
	switch op := head[0] & 0xf; op {
	case opText:
		return "text " + string(payload), nil
	case opPing:
		return "ping " + string(payload), nil
	case opPong:
		return "pong " + string(payload), nil
	case opClose:
		if len(payload) == 0 {
			return "close 1005", nil
		}
		return strings.TrimSpace(fmt.Sprintf("close %d %s", binary.BigEndian.Uint16(payload), payload[2:])), nil
	default:
		return "", fmt.Errorf("opcode %d", op)
	}
}

// next is read without presence frames and pings, which come when they like.
func (c *rawConn) next() string {
	c.t.Helper()
	for {
		got, err := c.read()
		if err != nil {
			c.t.Fatalf("read a frame: %v", err)
		}
		if !strings.HasPrefix(got, `text {"type":"presence"`) && !strings.HasPrefix(got, "ping ") {
			return got
		}
	}
}

// answers reports how a frame in words differs from what is wanted (empty: it
// does not). Text frames are compared as JSON: what is wanted must be there,
// and null must not; other frames by their beginning.
func answers(got, want string) string {
	wanted, isJSON := strings.CutPrefix(want, "{")
	if !isJSON {
		if got == want || strings.HasPrefix(got, want+" ") {
			return ""
		}
		return fmt.Sprintf("got %.300q, want %q", got, want)
	}
	body, ok := strings.CutPrefix(got, "text ")
	if !ok {
		return fmt.Sprintf("got %.300q, want %s", got, want)
	}
	var g, w map[string]any
	if err := json.Unmarshal([]byte("{"+wanted), &w); err != nil {
		return "bad expectation: " + err.Error()
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&g); err != nil {
		return err.Error()
	}
	for name, value := range w {
		have, there := g[name]
		prefix, isText := value.(string)
		switch {
		case value == nil && there, value != nil && !there,
			isText && !strings.HasPrefix(fmt.Sprint(have), prefix),
			!isText && value != nil && fmt.Sprint(have) != fmt.Sprint(value):
			return fmt.Sprintf("field %q of %.300s is not as in %s", name, body, want)
		}
	}
	return ""
}
