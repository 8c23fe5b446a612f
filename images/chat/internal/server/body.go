package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// readBody reads a body of JSON, of at most so many bytes.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, badRequest("content type: send application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &chat.Error{Code: chat.CodeTooLarge, Message: fmt.Sprintf("body: send at most %d bytes", most)}
	}
	if err != nil {
		return nil, badRequest("body: it ended before its time")
	}
	return body, nil
}

// readFields reads the body of a call into a struct. fields says, for the
// error, what it holds.
func readFields(w http.ResponseWriter, r *http.Request, most int64, into any, fields string) error {
	body, err := readBody(w, r, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return badRequest("body: send a JSON object without repeated names: %s", fields)
	}
	return nil
}

// field is one that may be absent, but not null.
type field[T any] struct{ value *T }

var errNull = errors.New("null")

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (f *field[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == 'n' {
		return errNull
	}
	f.value = new(T)
	return json.UnmarshalDecode(d, f.value)
}

// or gives the value, or another where the field is absent.
func (f field[T]) or(other T) T {
	if f.value == nil {
		return other
	}
	return *f.value
}

// maxBody bounds the body of a post in bytes. It is a frame's size, which
// holds every valid message.
const maxBody = wire.MaxFrame
