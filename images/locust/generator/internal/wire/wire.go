// Package wire has the chat's frames, as far as a load generator needs them: it
// encodes what a client says and decodes what a server says. Unknown fields and
// unknown types of frames are passed over, as the wire contract asks.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Subprotocol is the one a client offers.
const Subprotocol = "chat.v1"

// Close codes that a load generator tells apart.
const (
	CloseTooSlow = 4001
	CloseTooBad  = 4002
	ClosePolicy  = 1008
)

// Kinds of server frames.
const (
	KindWelcome  = "welcome"
	KindMessages = "messages"
	KindAck      = "ack"
	KindHistory  = "history"
	KindPresence = "presence"
	KindError    = "error"
	KindBye      = "bye"
)

// Message is one chat message as the server delivers it.
type Message struct {
	ID, Key, Topic, Name, Email, Time, Content string
	// Note is the ledger's own knowledge of the message.
	Note any
}

// Frame is one frame of the server; only the fields of its kind are set.
type Frame struct {
	Type     string
	Messages []*Message
	// Cursor is "" where the frame carries none.
	Cursor    string
	Server    string
	Recovered bool
	More      bool
	// Key and Ref say what an answer is about; ID is that of an ack.
	Key, Ref, ID string
	// Code and RetryAfterMS are an error's.
	Code         string
	RetryAfterMS int
}

// Retryable says whether the same post may be tried again with the same key.
func (f *Frame) Retryable() bool {
	return f.Code == "rate_limited" || f.Code == "unavailable" || f.Code == "internal"
}

// ErrFrame is wrapped by every error about what the contract does not allow.
var ErrFrame = errors.New("bad frame")

// rawMessage and rawFrame tell an absent field from an empty one.
type rawMessage struct {
	ID, Key, Topic, Name, Email, Time, Content *string
}

type rawFrame struct {
	Type         *string
	Messages     *[]*rawMessage
	Cursor       *string
	Server       *string
	Recovered    *bool
	More         *bool
	Online       *int
	Key          *string
	Ref          *string
	ID           *string
	Time         *string
	Code         *string
	Message      *string
	Reason       *string
	RetryAfterMS *int `json:"retry_after_ms"`
	ReconnectMS  *int `json:"reconnect_in_ms"`
}

// Decode reads one server frame; its error wraps ErrFrame. It keeps nothing of
// raw.
func Decode(raw []byte) (*Frame, error) {
	if f := scan(raw); f != nil {
		return f, nil
	}
	return decode(raw)
}

// decode is the thorough way: for all but the commonest frames.
func decode(raw []byte) (*Frame, error) {
	// Frames of other kinds may use these names with other types.
	var kind struct{ Type *string }
	if err := json.Unmarshal(raw, &kind); err != nil || kind.Type == nil {
		return nil, fmt.Errorf("%w: not an object with a string field type", ErrFrame)
	}
	f := &Frame{Type: *kind.Type}
	switch f.Type {
	case KindWelcome, KindMessages, KindAck, KindHistory, KindPresence, KindError, KindBye:
	default:
		return f, nil
	}
	var body rawFrame
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, fmt.Errorf("%w: a field of another type in %s", ErrFrame, f.Type)
	}
	missing := func(fields ...bool) error {
		for _, there := range fields {
			if !there {
				return fmt.Errorf("%w: %s lacks a field", ErrFrame, f.Type)
			}
		}
		return nil
	}
	var err error
	switch f.Type {
	case KindWelcome:
		err = missing(body.Server != nil, body.Cursor != nil, body.Recovered != nil, body.Messages != nil, body.More != nil)
	case KindMessages:
		err = missing(body.Messages != nil && len(*body.Messages) > 0)
	case KindAck:
		// An ephemeral post's has no id, a vote's no time.
		err = missing(body.Key != nil, body.ID != nil || body.Time != nil)
	case KindHistory:
		err = missing(body.Ref != nil, body.Messages != nil, body.More != nil)
	case KindPresence:
		err = missing(body.Online != nil)
	case KindError:
		err = missing(body.Code != nil, body.Message != nil)
	case KindBye:
		err = missing(body.Reason != nil, body.ReconnectMS != nil)
	}
	if err != nil {
		return nil, err
	}
	f.Cursor, f.Server, f.Code = text(body.Cursor), text(body.Server), text(body.Code)
	f.Key, f.Ref, f.ID = text(body.Key), text(body.Ref), text(body.ID)
	f.Recovered = body.Recovered != nil && *body.Recovered
	f.More = body.More != nil && *body.More
	if body.RetryAfterMS != nil {
		f.RetryAfterMS = *body.RetryAfterMS
	}
	if body.Messages != nil {
		f.Messages, err = messages(*body.Messages)
	}
	return f, err
}

// Page reads a page of history as HTTP gives it.
func Page(raw []byte) (found []*Message, more bool, err error) {
	var body struct {
		Messages *[]*rawMessage
		More     *bool
	}
	if err := json.Unmarshal(raw, &body); err != nil || body.Messages == nil || body.More == nil {
		return nil, false, fmt.Errorf("%w: not a page of messages", ErrFrame)
	}
	found, err = messages(*body.Messages)
	return found, *body.More, err
}

func messages(raw []*rawMessage) ([]*Message, error) {
	out := make([]*Message, len(raw))
	for i, m := range raw {
		if m == nil {
			return nil, fmt.Errorf("%w: a message must be an object", ErrFrame)
		}
		for _, field := range []*string{m.ID, m.Key, m.Topic, m.Name, m.Email, m.Time, m.Content} {
			if field == nil {
				return nil, fmt.Errorf("%w: a message lacks a field", ErrFrame)
			}
		}
		if *m.ID == "" {
			return nil, fmt.Errorf("%w: a message's id is empty", ErrFrame)
		}
		out[i] = &Message{*m.ID, *m.Key, *m.Topic, *m.Name, *m.Email, *m.Time, *m.Content, nil}
	}
	return out, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// encode makes a frame; structs of strings and numbers cannot fail.
func encode(body any) []byte {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return raw
}

// Hello is the first frame of a connection. cursor "" means none.
func Hello(topics []string, cursor string, limit int) []byte {
	return encode(struct {
		Type   string   `json:"type"`
		Topics []string `json:"topics"`
		Cursor string   `json:"cursor,omitempty"`
		Limit  int      `json:"limit"`
	}{"hello", topics, cursor, limit})
}

// Post posts a message; it is answered by one ack or error with this key.
func Post(key, topic, name, email, content string) []byte {
	return encode(struct {
		Type    string `json:"type"`
		Key     string `json:"key"`
		Topic   string `json:"topic"`
		Name    string `json:"name"`
		Email   string `json:"email"`
		Content string `json:"content"`
	}{"post", key, topic, name, email, content})
}

// History asks for the messages before an id, or for the latest where it is "".
func History(ref, topic, before string, limit int) []byte {
	return encode(struct {
		Type   string `json:"type"`
		Ref    string `json:"ref"`
		Topic  string `json:"topic"`
		Before string `json:"before,omitempty"`
		Limit  int    `json:"limit"`
	}{"history", ref, topic, before, limit})
}
