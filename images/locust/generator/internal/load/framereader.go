package load

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gorilla/websocket"

	"chatapp/generator/internal/wire"
)

// frameReader reads a socket's frames, each into the same buffer.
type frameReader struct {
	conn *websocket.Conn
	buf  []byte
}

// read is the next frame; it is valid until the next call.
func (r *frameReader) read() ([]byte, error) {
	_, from, err := r.conn.NextReader()
	if err != nil {
		return nil, err
	}
	r.buf = r.buf[:0]
	for {
		if len(r.buf) == cap(r.buf) {
			r.buf = slices.Grow(r.buf, max(1024, cap(r.buf)))
		}
		n, err := from.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if err == io.EOF {
			return r.buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// welcome waits for the welcome; others that come before it are passed over.
func (r *frameReader) welcome() (*wire.Frame, error) {
	for {
		raw, err := r.read()
		if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) {
			return nil, fmt.Errorf("closed %d before welcome", closed.Code)
		} else if err != nil {
			return nil, err
		}
		f, err := wire.Decode(raw)
		if err != nil {
			return nil, err
		}
		switch f.Type {
		case wire.KindWelcome:
			return f, nil
		case wire.KindError:
			return nil, fmt.Errorf("hello refused: %s", f.Code)
		}
	}
}
