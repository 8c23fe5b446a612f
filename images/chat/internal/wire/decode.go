// Package wire is the text of the protocol: frames in both directions, close
// codes, and the JSON form of a message. It is pure: no sockets, no clock.
// testdata holds golden frames that the tests of the server, of the page and
// of the load generator all read.
package wire

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chatapp/chat/internal/chat"
)

// MaxFrame is the largest frame a client may send, in bytes. The largest
// message without needless escapes takes half of it.
const MaxFrame = 32 << 10

// Subprotocol is the one that clients may offer; none means the same.
const Subprotocol = "chat.v1"

// Defaults and bounds of a frame's numbers.
const (
	DefaultLimit = 50
	MaxLimit     = chat.MaxHistory
	MaxRef       = 64 // characters
)

// The frames that clients send.
type (
	// Hello opens the conversation.
	Hello struct {
		Topics chat.TopicSet
		Cursor string // empty: none
		Limit  int    // how many latest messages to send when there is no cursor
	}
	// Subscribe replaces the set of topics.
	Subscribe struct{ Topics chat.TopicSet }
	// Post hands in a message; whether it is acceptable is not decided here.
	Post struct{ Draft chat.Draft }
	// History asks for older messages.
	History struct {
		Ref    string
		Topics chat.TopicSet
		Before chat.ID // zero: the latest
		Limit  int
	}
)

// Unreadable is the error of a frame that could not be read. Key and Ref are
// those of the frame, where they could be read, so that the answer can be
// matched to the question.
type Unreadable struct {
	Err *chat.Error // always CodeBadFrame
	Key string
	Ref string
}

func (u *Unreadable) Error() string { return u.Err.Error() }

func unreadable(format string, args ...any) *Unreadable {
	return &Unreadable{Err: &chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf(format, args...)}}
}

// Decode reads one frame from a client: a Hello, Subscribe, Post or History.
// The JSON is read strictly: one object, names as they stand in the contract
// and none of them twice, strings of valid UTF-8; unknown fields are ignored.
func Decode(data []byte) (any, *Unreadable) {
	var head struct {
		Type *string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Type == nil {
		return nil, unreadable(`frame: send exactly one JSON object, without repeated names, with a string field "type"`)
	}
	switch *head.Type {
	case "hello":
		return decodeHello(data)
	case "subscribe":
		return decodeSubscribe(data)
	case "post":
		return decodePost(data)
	case "history":
		return decodeHistory(data)
	}
	return nil, unreadable("type: send hello, subscribe, post or history")
}

func decodeHello(data []byte) (any, *Unreadable) {
	var f struct {
		Topics *[]string `json:"topics"`
		Cursor string    `json:"cursor"`
		Limit  *int      `json:"limit"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, unreadable("hello: topics is a list of strings, cursor a string, limit an integer")
	}
	h := Hello{Topics: chat.AllTopics, Cursor: f.Cursor, Limit: DefaultLimit}
	if f.Topics != nil {
		var err error
		if h.Topics, err = chat.NewTopicSet(*f.Topics); err != nil {
			return nil, &Unreadable{Err: chat.AsError(err)}
		}
	}
	if f.Limit != nil {
		if h.Limit = *f.Limit; h.Limit < 0 || h.Limit > MaxLimit {
			return nil, unreadable("limit: send 0 to %d", MaxLimit)
		}
	}
	return h, nil
}

func decodeSubscribe(data []byte) (any, *Unreadable) {
	var f struct {
		Topics *[]string `json:"topics"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Topics == nil {
		return nil, unreadable(`subscribe: topics is a list of strings; ["*"] means every public topic`)
	}
	topics, err := chat.NewTopicSet(*f.Topics)
	if err != nil {
		return nil, &Unreadable{Err: chat.AsError(err)}
	}
	return Subscribe{Topics: topics}, nil
}

func decodePost(data []byte) (any, *Unreadable) {
	d, bad := DecodeDraft(data)
	if bad != nil {
		return nil, bad
	}
	return Post{Draft: d}, nil
}

// DecodeDraft reads the fields of a draft from a JSON object, a post frame or
// the body of an HTTP post. Whether it is acceptable is not decided here.
func DecodeDraft(data []byte) (chat.Draft, *Unreadable) {
	var f struct {
		Key     string `json:"key"`
		Topic   given  `json:"topic"`
		Name    string `json:"name"`
		Email   string `json:"email"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		u := unreadable("post: send a JSON object in which key, topic, name, email and content are strings")
		var only struct {
			Key string `json:"key"`
		}
		if json.Unmarshal(data, &only) == nil && chat.ValidKey(only.Key) {
			u.Key = only.Key
		}
		return chat.Draft{}, u
	}
	topic := chat.DefaultTopic
	if f.Topic.set {
		topic = f.Topic.text
	}
	return chat.Draft{Key: f.Key, Topic: topic, Name: f.Name, Email: f.Email, Content: f.Content}, nil
}

// given is a string that may be absent, which is not the same as null or empty.
type given struct {
	set  bool
	text string
}

// UnmarshalJSONFrom reads a string; null is the empty one, as in other fields.
func (g *given) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	g.set = true
	return json.UnmarshalDecode(d, &g.text)
}

func decodeHistory(data []byte) (any, *Unreadable) {
	var f struct {
		Ref    string  `json:"ref"`
		Topic  *string `json:"topic"`
		Before string  `json:"before"`
		Limit  *int    `json:"limit"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		u := unreadable("history: ref, topic and before are strings, limit an integer")
		var only struct {
			Ref string `json:"ref"`
		}
		if json.Unmarshal(data, &only) == nil && len(only.Ref) <= MaxRef {
			u.Ref = only.Ref
		}
		return nil, u
	}
	if f.Ref == "" || len(f.Ref) > MaxRef {
		return nil, unreadable("history: ref is a string of 1 to %d bytes that you choose", MaxRef)
	}
	h := History{Ref: f.Ref, Topics: chat.AllTopics, Limit: DefaultLimit}
	fail := func(err *chat.Error) (any, *Unreadable) { return nil, &Unreadable{Err: err, Ref: f.Ref} }
	if f.Topic != nil {
		var err error
		if h.Topics, err = chat.NewTopicSet([]string{*f.Topic}); err != nil {
			return fail(chat.AsError(err))
		}
	}
	if f.Before != "" {
		var err error
		if h.Before, err = chat.ParseID(f.Before); err != nil {
			return fail(&chat.Error{Code: chat.CodeBadFrame, Message: "before: " + err.Error()})
		}
	}
	if f.Limit != nil {
		if h.Limit = *f.Limit; h.Limit < 1 || h.Limit > MaxLimit {
			return fail(&chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf("limit: send 1 to %d", MaxLimit)})
		}
	}
	return h, nil
}
