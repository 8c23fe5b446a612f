package wire

import (
	"slices"
	"strconv"
	"time"

	"chatapp/chat/internal/chat"
)

// The Append functions append one frame, or a part of one, to b and return
// the extended slice. A message is encoded once for each server, not for each
// receiver: Encode makes the part that AppendMessages and AppendWelcome join.

// AppendMessage appends the JSON object of a message, with its numbers.
func AppendMessage(b []byte, m chat.Message) []byte {
	if m.Deleted {
		m.Content = ""
	}
	b, _ = appendPlain(b, m.ID, &m.Draft)
	return append(appendNumbers(b[:len(b)-1], m.Tally, m.Vote), '}')
}

// Encoded is a message that is encoded once, and gets its numbers, which
// change, when it is sent.
type Encoded struct {
	Plain   []byte // without numbers
	content int    // where the content begins, with its name
}

// Encode encodes a message without its numbers.
func Encode(id chat.ID, d *chat.Draft) Encoded {
	size := d.Size() + 160
	if d.ReplyTo != (chat.ID{}) || d.Account != "" {
		size += 80
	}
	var e Encoded
	e.Plain, e.content = appendPlain(make([]byte, 0, size), id, d)
	return e
}

// With gives the message with numbers, and without its content if it is
// deleted.
func (e Encoded) With(t chat.Tally, vote int8) []byte {
	b := make([]byte, 0, len(e.Plain)+80)
	if t.Deleted {
		b = append(append(b, e.Plain[:e.content]...), `"content":"","deleted":true`...)
	} else {
		b = append(b, e.Plain[:len(e.Plain)-1]...)
	}
	t.Deleted = false
	return append(appendNumbers(b, t, vote), '}')
}

// appendPlain also gives the place of the content, which comes last.
func appendPlain(b []byte, id chat.ID, d *chat.Draft) ([]byte, int) {
	start := len(b)
	b = append(b, `{"id":"`...)
	b = id.AppendText(b)
	b = append(b, `","key":"`...)
	b = append(b, d.Key...) // its characters need no escape: chat.ValidKey
	b = append(b, `","topic":`...)
	b = appendString(b, d.Topic)
	b = append(b, `,"name":`...)
	b = appendString(b, d.Name)
	b = append(b, `,"email":`...)
	b = appendString(b, d.Email)
	b = append(b, `,"time":`...)
	b = AppendTime(b, id.Time())
	if d.ReplyTo != (chat.ID{}) {
		b = append(b, `,"reply_to":"`...)
		b = d.ReplyTo.AppendText(b)
		b = append(b, '"')
	}
	b = appendAccount(b, d.Account)
	b = append(b, ',')
	content := len(b) - start
	b = append(b, `"content":`...)
	b = appendString(b, d.Content)
	return append(b, '}'), content
}

// appendAccount says who posted, if an account did.
func appendAccount(b []byte, account string) []byte {
	if account == "" {
		return b
	}
	b = append(b, `,"account":`...)
	b = appendString(b, account)
	return append(b, `,"verified":true`...)
}

// appendNumbers appends those that are not 0.
func appendNumbers(b []byte, t chat.Tally, vote int8) []byte {
	for _, n := range [...]struct {
		name  string
		value int64
	}{{`,"replies":`, t.Replies}, {`,"up":`, t.Up}, {`,"down":`, t.Down}, {`,"vote":`, int64(vote)}} {
		if n.value != 0 {
			b = append(b, n.name...)
			b = strconv.AppendInt(b, n.value, 10)
		}
	}
	if t.Deleted {
		b = append(b, `,"deleted":true`...)
	}
	return b
}

// AppendUpdate appends a message's numbers as they stand in an updates frame:
// zeros, too.
func AppendUpdate(b []byte, c chat.Change) []byte {
	b = append(b, `{"id":"`...)
	b = c.ID.AppendText(b)
	b = append(b, `","up":`...)
	b = strconv.AppendInt(b, c.Up, 10)
	b = append(b, `,"down":`...)
	b = strconv.AppendInt(b, c.Down, 10)
	b = append(b, `,"replies":`...)
	b = strconv.AppendInt(b, c.Replies, 10)
	if c.Deleted {
		b = append(b, `,"deleted":true`...)
	}
	return append(b, '}')
}

// AppendUpdates appends an updates frame around encoded updates.
func AppendUpdates(b []byte, updates [][]byte) []byte {
	b = append(b, `{"type":"updates","updates":[`...)
	b = appendJoined(b, updates, joinedTail)
	return append(b, "]}"...)
}

// AppendEphemeral appends the JSON object of an ephemeral message.
func AppendEphemeral(b []byte, e chat.Ephemeral) []byte {
	b = append(b, `{"key":`...)
	b = appendString(b, e.Key)
	b = append(b, `,"topic":`...)
	b = appendString(b, e.Topic)
	b = append(b, `,"name":`...)
	b = appendString(b, e.Name)
	b = append(b, `,"email":`...)
	b = appendString(b, e.Email)
	b = append(b, `,"time":`...)
	b = AppendTime(b, e.At)
	b = appendAccount(b, e.Account)
	b = append(b, `,"content":`...)
	b = appendString(b, e.Content)
	return append(b, '}')
}

// AppendEphemerals appends an ephemeral frame around encoded messages.
func AppendEphemerals(b []byte, messages [][]byte) []byte {
	b = append(b, `{"type":"ephemeral","messages":[`...)
	b = appendJoined(b, messages, joinedTail)
	return append(b, "]}"...)
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

// messagesHead is how a messages frame begins.
const messagesHead = `{"type":"messages","messages":[`

// messagesEnd is the bytes that follow the list, without the cursor.
const messagesEnd = len(`],"cursor":""}`)

// AppendMessages appends a messages frame around parts, each one or more
// encoded messages joined by commas.
func AppendMessages(b []byte, parts [][]byte, cursor string) []byte {
	b = append(b, messagesHead...)
	b = appendJoined(b, parts, len(cursor)+messagesEnd)
	b = append(b, `],"cursor":"`...)
	b = append(b, cursor...)
	return append(b, `"}`...)
}

// Welcome is the answer to hello and subscribe.
type Welcome struct {
	Server    string
	Time      time.Time // this server's, to tell ages by
	Cursor    string
	Recovered bool
	Messages  [][]byte // encoded messages
	More      bool
	Before    chat.ID        // where a filter was asked for: go on before it; zero: not said
	You       chat.Principal // who is signed in; a guest is left out
	Features  []string
	NoNumbers bool // too many messages have other numbers than the client knows
}

// AppendWelcome appends a welcome frame.
func AppendWelcome(b []byte, w Welcome) []byte {
	b = append(b, `{"type":"welcome","server":`...)
	b = appendString(b, w.Server)
	b = append(b, `,"time":`...)
	b = AppendTime(b, w.Time)
	b = append(b, `,"cursor":"`...)
	b = append(b, w.Cursor...)
	b = append(b, `","recovered":`...)
	b = strconv.AppendBool(b, w.Recovered)
	b = append(b, `,"messages":[`...)
	b = appendJoined(b, w.Messages, joinedTail)
	b = append(b, `],"more":`...)
	b = strconv.AppendBool(b, w.More)
	b = appendBefore(b, w.Before)
	if w.You.SignedIn() {
		b = append(b, `,"you":`...)
		b = AppendAccount(b, w.You.Account, w.You.Email, w.You.Name)
	}
	if len(w.Features) > 0 {
		b = append(b, `,"features":`...)
		b = AppendStrings(b, w.Features)
	}
	if w.NoNumbers {
		b = append(b, `,"numbers":false`...)
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

// AppendEphemeralAck appends the ack of an ephemeral message.
func AppendEphemeralAck(b []byte, key string, at time.Time) []byte {
	b = append(b, `{"type":"ack","key":`...)
	b = appendString(b, key)
	b = append(b, `,"time":`...)
	b = AppendTime(b, at)
	return append(b, '}')
}

// AppendVoteAck appends the ack of a vote.
func AppendVoteAck(b []byte, key string, id chat.ID) []byte {
	b = append(b, `{"type":"ack","key":`...)
	b = appendString(b, key)
	b = append(b, `,"id":"`...)
	b = id.AppendText(b)
	return append(b, `"}`...)
}

// AppendVoted appends the answer to a vote over HTTP.
func AppendVoted(b []byte, c chat.Counted) []byte {
	b = append(b, `{"id":"`...)
	b = c.ID.AppendText(b)
	b = append(b, `","up":`...)
	b = strconv.AppendInt(b, c.Up, 10)
	b = append(b, `,"down":`...)
	b = strconv.AppendInt(b, c.Down, 10)
	b = append(b, `,"vote":`...)
	b = strconv.AppendInt(b, int64(c.Vote), 10)
	return append(b, '}')
}

// AppendPage appends the rest of an answer that holds a page of history:
// messages, more, before.
func AppendPage(b []byte, messages [][]byte, page chat.Page) []byte {
	b = append(b, `"messages":[`...)
	b = appendJoined(b, messages, joinedTail)
	b = append(b, `],"more":`...)
	b = strconv.AppendBool(b, page.More)
	return append(appendBefore(b, page.Before), '}')
}

// EncodeAll gives the JSON object of each message, with its numbers.
func EncodeAll(messages []chat.Message) [][]byte {
	texts := make([][]byte, len(messages))
	for i, m := range messages {
		texts[i] = AppendMessage(nil, m)
	}
	return texts
}

// AppendHistory appends a history frame.
func AppendHistory(b []byte, ref string, page chat.Page) []byte {
	return AppendHistoryOf(b, ref, EncodeAll(page.Messages), page)
}

// AppendHistoryOf appends a history frame around the encoded messages of a page.
func AppendHistoryOf(b []byte, ref string, messages [][]byte, page chat.Page) []byte {
	b = append(b, `{"type":"history","ref":`...)
	b = appendString(b, ref)
	b = append(b, ',')
	return AppendPage(b, messages, page)
}

func appendBefore(b []byte, before chat.ID) []byte {
	if before == (chat.ID{}) {
		return b
	}
	b = append(b, `,"before":"`...)
	b = before.AppendText(b)
	return append(b, '"')
}

// AppendPresence appends a presence frame. The cursor, if any, lets a client
// whose topics are silent keep one that the log still honours.
func AppendPresence(b []byte, online, guests, users int, cursor string) []byte {
	b = append(b, `{"type":"presence","online":`...)
	b = strconv.AppendInt(b, int64(online), 10)
	b = append(b, `,"guests":`...)
	b = strconv.AppendInt(b, int64(guests), 10)
	b = append(b, `,"users":`...)
	b = strconv.AppendInt(b, int64(users), 10)
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
	if e.At > 0 {
		b = append(b, `,"at":`...)
		b = strconv.AppendInt(b, int64(e.At), 10)
		b = append(b, `,"expected":`...)
		b = appendString(b, e.Expected)
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

// appendJoined appends parts joined by commas. It makes room for all of them
// and the frame's end, of so many bytes, at once: a page waits for as long as
// its client likes, so it must not be in a slice twice its size.
func appendJoined(b []byte, parts [][]byte, end int) []byte {
	b = slices.Grow(b, joinedSize(parts)+end)
	for i, part := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, part...)
	}
	return b
}

// joinedSize is the bytes of parts, and a comma after each.
func joinedSize(parts [][]byte) (size int) {
	for _, part := range parts {
		size += len(part) + 1
	}
	return size
}

// joinedTail is about what follows the list in most frames: a cursor, more.
const joinedTail = 128
