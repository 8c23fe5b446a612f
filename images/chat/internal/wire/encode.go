package wire

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chatapp/chat/internal/chat"
)

// The Append functions append one frame, or a part of one, to b and return
// the extended slice. A message is encoded once for each server, not for each
// receiver: AppendMessage makes the part that AppendMessages and AppendWelcome
// join.

// timeLayout is RFC 3339 in UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// AppendTime appends t as a quoted RFC 3339 time in UTC with milliseconds.
func AppendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, timeLayout)
	return append(b, '"')
}

// AppendMessage appends the JSON object of a message.
func AppendMessage(b []byte, m chat.Message) []byte {
	b = append(b, `{"id":"`...)
	b = m.ID.AppendText(b)
	b = append(b, `","key":"`...)
	b = append(b, m.Key...) // its characters need no escape: chat.ValidKey
	b = append(b, `","topic":`...)
	b = appendString(b, m.Topic)
	b = append(b, `,"name":`...)
	b = appendString(b, m.Name)
	b = append(b, `,"email":`...)
	b = appendString(b, m.Email)
	b = append(b, `,"time":`...)
	b = AppendTime(b, m.Time())
	b = append(b, `,"content":`...)
	b = appendString(b, m.Content)
	if m.Account != "" {
		b = append(b, `,"account":"`...)
		b = append(b, m.Account...) // its characters need no escape
		b = append(b, `","verified":true`...)
	}
	return append(b, '}')
}

// AppendList appends messages as a JSON array.
func AppendList(b []byte, messages []chat.Message) []byte {
	b = append(b, '[')
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendMessage(b, m)
	}
	return append(b, ']')
}

// AppendMessages appends a messages frame around parts, each one or more
// encoded messages joined by commas.
func AppendMessages(b []byte, parts [][]byte, cursor string) []byte {
	b = append(b, messagesHead...)
	b = appendJoined(b, parts)
	b = append(b, `],"cursor":"`...)
	b = append(b, cursor...)
	return append(b, `"}`...)
}

// Welcome is the answer to hello and subscribe.
type Welcome struct {
	Server    string
	Cursor    string
	Recovered bool
	Messages  [][]byte // encoded messages
	More      bool
	You       chat.Principal // who is signed in; a guest is left out
	Features  []string
}

// AppendWelcome appends a welcome frame.
func AppendWelcome(b []byte, w Welcome) []byte {
	b = append(b, `{"type":"welcome","server":`...)
	b = appendString(b, w.Server)
	b = append(b, `,"cursor":"`...)
	b = append(b, w.Cursor...)
	b = append(b, `","recovered":`...)
	b = strconv.AppendBool(b, w.Recovered)
	b = append(b, `,"messages":[`...)
	b = appendJoined(b, w.Messages)
	b = append(b, `],"more":`...)
	b = strconv.AppendBool(b, w.More)
	if w.You.SignedIn() {
		b = append(b, `,"you":`...)
		b = AppendAccount(b, w.You.Account, w.You.Email, w.You.Name)
	}
	if len(w.Features) > 0 {
		b = append(b, `,"features":`...)
		b = AppendStrings(b, w.Features)
	}
	return append(b, '}')
}

// AppendAck appends an ack frame.
func AppendAck(b []byte, key string, id chat.ID) []byte {
	b = append(b, `{"type":"ack","key":`...)
	b = appendString(b, key)
	b = append(b, `,"id":"`...)
	b = id.AppendText(b)
	b = append(b, `","time":`...)
	b = AppendTime(b, id.Time())
	return append(b, '}')
}

// AppendHistory appends a history frame.
func AppendHistory(b []byte, ref string, page chat.Page) []byte {
	b = append(b, `{"type":"history","ref":`...)
	b = appendString(b, ref)
	b = append(b, `,"messages":`...)
	b = AppendList(b, page.Messages)
	b = append(b, `,"more":`...)
	b = strconv.AppendBool(b, page.More)
	return append(b, '}')
}

// AppendPresence appends a presence frame. The cursor, if any, lets a client
// whose topics are silent keep one that the log still honours.
func AppendPresence(b []byte, online int, cursor string) []byte {
	b = append(b, `{"type":"presence","online":`...)
	b = strconv.AppendInt(b, int64(online), 10)
	if cursor != "" {
		b = append(b, `,"cursor":"`...)
		b = append(b, cursor...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// AppendError appends an error frame; empty key and ref are left out.
func AppendError(b []byte, e *chat.Error, key, ref string) []byte {
	b = append(b, `{"type":"error","code":"`...)
	b = append(b, e.Code...)
	b = append(b, `","message":`...)
	b = appendString(b, e.Message)
	if key != "" {
		b = append(b, `,"key":`...)
		b = appendString(b, key)
	}
	if ref != "" {
		b = append(b, `,"ref":`...)
		b = appendString(b, ref)
	}
	if len(e.Topics) > 0 {
		b = append(b, `,"topics":`...)
		b = AppendStrings(b, e.Topics)
	}
	if e.RetryAfter > 0 {
		b = append(b, `,"retry_after_ms":`...)
		b = strconv.AppendInt(b, max(1, e.RetryAfter.Milliseconds()), 10)
	}
	return append(b, '}')
}

// AppendBye appends a bye frame.
func AppendBye(b []byte, reason string, reconnectIn time.Duration) []byte {
	b = append(b, `{"type":"bye","reason":`...)
	b = appendString(b, reason)
	b = append(b, `,"reconnect_in_ms":`...)
	b = strconv.AppendInt(b, reconnectIn.Milliseconds(), 10)
	return append(b, '}')
}

func appendJoined(b []byte, parts [][]byte) []byte {
	for i, part := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, part...)
	}
	return b
}

// appendString appends s as a JSON string; what is not UTF-8, which only a
// damaged log could hold, becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
