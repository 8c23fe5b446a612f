// Package wire is the text of the protocol: frames in both directions, close
// codes, and the JSON form of a message. It is pure: no sockets, no clock.
// testdata holds golden frames that the tests of the server, of the page and
// of the load generator all read.
package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chatapp/chat/internal/chat"
)

// Subprotocol is the one that clients may offer; none means the same.
const Subprotocol = "chat.v1"

// The frames that clients send.
type (
	// Hello is the first frame of a client.
	Hello struct {
		Topics chat.TopicSet
		Cursor string  // empty: none
		Limit  int     // how many latest messages to send when there is no cursor
		Token  *string // nil: a guest's
		Filter string  // empty: none; whether it can be read is not decided here
	}
	// Subscribe replaces the set of topics.
	Subscribe struct {
		Topics chat.TopicSet
		Filter string
	}
	// Post hands in a message; whether it is acceptable is not decided here.
	Post struct {
		Draft     chat.Draft
		Ephemeral bool
	}
	// Vote hands in a vote.
	Vote struct {
		Key   string
		Draft chat.VoteDraft
	}
	// History asks for older messages.
	History struct {
		Ref    string
		Topics chat.TopicSet
		Before chat.ID // zero: the latest
		Limit  int

		ReplyTo chat.ID // direct replies to it alone; zero: all
		Filter  string
	}
)

// Unreadable is the error of a frame that could not be read. Key and Ref are
// those of the frame as far as they could be read, however bad the rest is, so
// that the client can match the answer to what it sent.
type Unreadable struct {
	Err *chat.Error // always CodeBadFrame
	Key string
	Ref string
}

func (u *Unreadable) Error() string { return u.Err.Error() }

func badFrame(format string, args ...any) *chat.Error {
	return &chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf(format, args...)}
}

// Decode reads one frame from a client: a Hello, Subscribe, Post, Vote or
// History.
// The JSON is read strictly: one object, names as they stand in the contract
// and none of them twice, strings of valid UTF-8; unknown fields are ignored.
func Decode(data []byte) (any, *Unreadable) {
	f, err := decode(data)
	if err != nil {
		key, ref := salvage(data)
		return nil, &Unreadable{Err: err, Key: Echo(key), Ref: Echo(ref)}
	}
	return f, nil
}

func decode(data []byte) (any, *chat.Error) {
	var head struct {
		Type *string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Type == nil {
		return nil, badFrame(`frame: send exactly one JSON object, without repeated names, with a string field "type"`)
	}
	switch *head.Type {
	case "hello":
		return decodeHello(data)
	case "subscribe":
		return decodeSubscribe(data)
	case "post":
		d, ephemeral, err := decodeDraft(data)
		if err != nil {
			return nil, err
		}
		return Post{Draft: d, Ephemeral: ephemeral}, nil
	case "vote":
		return decodeVote(data)
	case "history":
		return decodeHistory(data)
	}
	return nil, badFrame("type: send hello, subscribe, post, vote or history")
}

// given is a field that may be absent, which is not the same as null.
type given[T any] struct {
	set   bool
	null  bool
	value T
}

// UnmarshalJSONFrom notes that the field is there, then reads it.
func (g *given[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	g.set, g.null = true, d.PeekKind() == 'n'
	return json.UnmarshalDecode(d, &g.value)
}

func decodeHello(data []byte) (any, *chat.Error) {
	var f struct {
		Topics given[[]string] `json:"topics"`
		Cursor string          `json:"cursor"`
		Limit  *int            `json:"limit"`
		Token  given[string]   `json:"token"`
		Filter string          `json:"filter"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Topics.null || f.Token.null {
		return nil, badFrame("hello: topics is a list of strings, cursor, token and filter are strings, limit an integer")
	}
	h := Hello{Topics: chat.AllTopics, Cursor: f.Cursor, Limit: DefaultLimit, Filter: f.Filter}
	if f.Topics.set {
		var err error
		if h.Topics, err = chat.NewTopicSet(f.Topics.value); err != nil {
			return nil, chat.AsError(err)
		}
	}
	if f.Token.set {
		h.Token = &f.Token.value
	}
	if f.Limit != nil {
		if h.Limit = *f.Limit; h.Limit < 0 || h.Limit > MaxLimit {
			return nil, badFrame("limit: send 0 to %d", MaxLimit)
		}
	}
	return h, nil
}

func decodeSubscribe(data []byte) (any, *chat.Error) {
	var f struct {
		Topics *[]string `json:"topics"`
		Filter string    `json:"filter"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Topics == nil {
		return nil, badFrame(`subscribe: topics is a list of strings, filter a string; ["*"] means every public topic`)
	}
	topics, err := chat.NewTopicSet(*f.Topics)
	if err != nil {
		return nil, chat.AsError(err)
	}
	return Subscribe{Topics: topics, Filter: f.Filter}, nil
}

// DecodeDraft reads the fields of a draft from the body of an HTTP post.
// Whether it is acceptable is not decided here, except that it must not be
// ephemeral.
func DecodeDraft(data []byte) (chat.Draft, *Unreadable) {
	d, ephemeral, err := decodeDraft(data)
	if err == nil && ephemeral {
		err = &chat.Error{Code: chat.CodeBadMessage, Message: "ephemeral: send it over a WebSocket; HTTP takes messages that are kept"}
	}
	if err != nil {
		key, _ := salvage(data)
		return chat.Draft{}, &Unreadable{Err: err, Key: Echo(key)}
	}
	return d, nil
}

func decodeDraft(data []byte) (chat.Draft, bool, *chat.Error) {
	var f struct {
		Key       string        `json:"key"`
		Topic     given[string] `json:"topic"`
		Name      string        `json:"name"`
		Email     string        `json:"email"`
		Content   string        `json:"content"`
		ReplyTo   given[string] `json:"reply_to"`
		Ephemeral bool          `json:"ephemeral"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.ReplyTo.null {
		return chat.Draft{}, false, badFrame("post: send a JSON object in which key, topic, name, email, content and reply_to are strings, ephemeral true or false")
	}
	topic := chat.DefaultTopic
	if f.Topic.set { // null counts as empty, as in the other fields, and is refused
		topic = f.Topic.value
	}
	d := chat.Draft{Key: f.Key, Topic: topic, Name: f.Name, Email: f.Email, Content: f.Content}
	if f.ReplyTo.set {
		d.ReplyTo = idOf(f.ReplyTo.value)
	}
	return d, f.Ephemeral, nil
}

// idOf reads the id of a message. For a text that is no id it gives noMessage.
func idOf(s string) chat.ID {
	id, err := chat.ParseID(s)
	if err != nil {
		return noMessage
	}
	return id
}

// noMessage is an id that no log gives: its time is the last there is.
var noMessage = chat.ID{Pos: chat.MaxPos, Part: chat.MaxPartitions - 1}

func decodeVote(data []byte) (any, *chat.Error) {
	var f struct {
		Key string `json:"key"`
		ID  string `json:"id"`
	}
	d, err := DecodeVote(data)
	if bad := json.Unmarshal(data, &f); err != nil || bad != nil {
		return nil, badFrame("vote: key and id are strings, vote is 1, 0 or -1, name and email are strings")
	}
	d.Message = idOf(f.ID)
	return Vote{Key: f.Key, Draft: d}, nil
}

// DecodeVote reads the body of a vote over HTTP, without the message's id.
// Whether it is acceptable is not decided here.
func DecodeVote(data []byte) (chat.VoteDraft, *chat.Error) {
	var f struct {
		Vote  *int   `json:"vote"`
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Vote == nil {
		return chat.VoteDraft{}, badFrame("vote: send a JSON object in which vote is 1, 0 or -1, name and email are strings")
	}
	return chat.VoteDraft{Vote: *f.Vote, Name: f.Name, Email: f.Email}, nil
}

func decodeHistory(data []byte) (any, *chat.Error) {
	var f struct {
		Ref    string        `json:"ref"`
		Topic  given[string] `json:"topic"`
		Before string        `json:"before"`
		Limit  *int          `json:"limit"`

		ReplyTo given[string] `json:"reply_to"`
		Filter  string        `json:"filter"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.ReplyTo.null {
		return nil, badFrame("history: ref, topic, before, reply_to and filter are strings, limit an integer")
	}
	if f.Ref == "" || utf8.RuneCountInString(f.Ref) > MaxRef {
		return nil, badFrame("history: ref is a string of 1 to %d characters that you choose", MaxRef)
	}
	h := History{Ref: f.Ref, Topics: chat.AllTopics, Limit: DefaultLimit, Filter: f.Filter}
	if f.ReplyTo.set {
		h.ReplyTo = idOf(f.ReplyTo.value)
	}
	if f.Topic.set {
		topic, err := chat.CleanTopic(f.Topic.value)
		if err != nil {
			return nil, badFrame("%s", chat.AsError(err).Message)
		}
		h.Topics = chat.TopicSet{Names: []string{topic}}
	}
	if f.Before != "" {
		var err error
		if h.Before, err = chat.ParseID(f.Before); err != nil {
			return nil, badFrame("before: %v", err)
		}
	}
	if f.Limit != nil {
		if h.Limit = *f.Limit; h.Limit < 1 || h.Limit > MaxLimit {
			return nil, badFrame("limit: send 1 to %d", MaxLimit)
		}
	}
	return h, nil
}
