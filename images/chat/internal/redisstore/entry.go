package redisstore

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"chatapp/chat/internal/chat"
)

// The form of an entry of the log. lua/append.lua writes it from what
// batch.args hands over; parseEntry, and lua/history.lua and lua/retain.lua for
// the topics in it, read it.
//
// An entry is one batch of events. Its fields, as the stream holds them (Redis
// thinks in pairs, the form does not mind):
//
//	'1'              the version of the form
//	k                how many topics the batch has
//	k times:         a topic's name, and the last entry before this one that
//	                 holds it, as the topics hash had it ("messages entry
//	                 index"; "-": none)
//	'm'              what comes is the events
//	events           one string; for each event: a byte, the place of its topic
//	                 (0 to k-1); three bytes, little-endian, the length of its
//	                 record; the record (chat.Event.AppendRecord)
//	'p', and the entry that was the last before this one ("0-0": there was
//	                 none); versions before have nothing here
//	                 A later version may add fields here.
//
// The index of an event among the events is the last part of its position.
const (
	entryVersion = "1"
	entryFields  = 4 // beside the topics
	eventHeader  = 4 // bytes before each record
)

// entry is one entry of the log, read.
type entry struct {
	id      string   // as the stream has it
	at      chat.Pos // with an index of 0
	part    uint8
	topics  []string
	blob    string
	before  string // the entry that came before, "" if it does not say
	damaged bool   // none of its events can be read
}

// damagedIdx is the index of what is damaged to the end of an entry: how many
// events there were is not known, and a reader must come to be past all of
// them.
const damagedIdx = chat.MaxBatch - 1

// parseEntry reads an entry of XRANGE, XREVRANGE or XREAD. An entry that is
// not in the form is damaged; an error means that Redis's answer is none.
func parseEntry(raw any, part int) (entry, error) {
	pair, ok := raw.([]any)
	if !ok || len(pair) != 2 {
		return entry{}, errAnswer("a list of entries")
	}
	id, _ := pair[0].(string)
	at, err := parseEntryID(id)
	if err != nil {
		return entry{}, errAnswer("a list of entries")
	}
	e := entry{id: id, at: at, part: uint8(part), damaged: true}
	fields, _ := pair[1].([]any)
	if len(fields) < entryFields || fields[0] != entryVersion {
		return e, nil
	}
	count, _ := fields[1].(string)
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > chat.MaxBatch || len(fields) < entryFields+2*n || fields[2+2*n] != "m" {
		return e, nil
	}
	e.topics = make([]string, n)
	for i := range e.topics {
		e.topics[i], _ = fields[2+2*i].(string)
	}
	e.blob, _ = fields[3+2*n].(string)
	e.damaged = e.blob == ""
	if rest := fields[entryFields+2*n:]; len(rest) >= 2 && rest[0] == "p" {
		e.before, _ = rest[1].(string)
	}
	return e, nil
}

// count is how many events the entry seems to hold, one at the least.
func (e entry) count() (n int) {
	for rest := e.blob; len(rest) >= eventHeader; n++ {
		size := int(rest[1]) | int(rest[2])<<8 | int(rest[3])<<16
		rest = rest[min(len(rest), eventHeader+size):]
	}
	return max(1, min(n, chat.MaxBatch))
}

// events appends all events of the entry to list, one at the least.
func (e entry) events(list []chat.Event) []chat.Event {
	at := chat.ID{Pos: e.at, Part: e.part}
	rest := e.blob
	for ; !e.damaged && rest != ""; at.Idx++ {
		if len(rest) < eventHeader {
			break
		}
		topic, size := int(rest[0]), int(rest[1])|int(rest[2])<<8|int(rest[3])<<16
		if size > len(rest)-eventHeader {
			break
		}
		record := rest[eventHeader : eventHeader+size]
		if topic < len(e.topics) {
			list = append(list, chat.ParseRecord(at, e.topics[topic], record))
		} else {
			list = append(list, chat.Damaged(at, ""))
		}
		rest = rest[eventHeader+size:]
		if at.Idx == damagedIdx {
			return list
		}
	}
	if e.damaged || rest != "" {
		at.Idx = damagedIdx
		list = append(list, chat.Damaged(at, ""))
	}
	return list
}

// appendEvent adds an event to the events of an entry.
func appendEvent(blob []byte, topic int, e chat.Event) []byte {
	at := len(blob)
	blob = append(blob, byte(topic), 0, 0, 0)
	blob = e.AppendRecord(blob)
	size := len(blob) - at - eventHeader
	blob[at+1], blob[at+2], blob[at+3] = byte(size), byte(size>>8), byte(size>>16)
	return blob
}

// batch is an append under way.
type batch struct {
	events []chat.Event
	keys   string // of each event: the digest of its key
	open   []int  // of events: those that the log has not answered for
	first  []int  // of each event: itself, or the earlier one with its key
	done   []chat.Appended
	part   uint8

	replies bool // some of the events reply to a message
	fresh   bool // something was appended

	mine map[int]chat.Pos // of events: where a try appended it that no replica has confirmed
}

func newBatch(events []chat.Event, part int) *batch {
	b := &batch{
		events: events, part: uint8(part),
		open: make([]int, 0, len(events)), first: make([]int, len(events)), done: make([]chat.Appended, len(events)),
	}
	var keys strings.Builder
	keys.Grow(len(events) * len(chat.KeyDigest{}))
	for i := range events {
		digest := events[i].Draft.KeyDigest()
		keys.Write(digest[:])
	}
	b.keys = keys.String()
	seen := make(map[string]int, len(events))
	for i := range events {
		at, again := seen[b.key(i)]
		if !again {
			at = i
			seen[b.key(i)] = i
			b.open = append(b.open, i)
		}
		b.first[i] = at
		b.replies = b.replies || events[i].Draft.ReplyTo != (chat.ID{})
	}
	return b
}

func (b *batch) key(i int) string {
	const size = len(chat.KeyDigest{})
	return b.keys[i*size : (i+1)*size]
}

// args is what is open as lua/append.lua takes it.
func (b *batch) args(fence [4]any, steps [3]any) []any {
	type use struct{ at, count, last int }
	topics := make(map[string]*use)
	var names []string
	bytes := 0
	for _, i := range b.open {
		bytes += b.events[i].Size()
	}
	blob := make([]byte, 0, bytes+len(b.open)*16)
	args := make([]any, 11, 11+len(b.open)+3)
	for idx, i := range b.open {
		topic := b.events[i].Draft.Topic
		t, ok := topics[topic]
		if !ok {
			t = &use{at: len(names)}
			topics[topic] = t
			names = append(names, topic)
		}
		if b.events[i].Kind.IsMessage() {
			t.count++
		}
		t.last = idx
		blob = appendEvent(blob, t.at, b.events[i])
		args = append(args, b.key(i))
	}
	for _, name := range names {
		args = append(args, name, topics[name].count, topics[name].last)
	}
	if b.replies {
		for idx, i := range b.open {
			if d := b.events[i].Draft; d.ReplyTo != (chat.ID{}) {
				args = append(args, idx, d.ReplyTo.Pos.Hex(), d.Topic)
			}
		}
	}
	copy(args, fence[:])
	args[4], args[5], args[6], args[7] = bytes, steps[0], steps[1], steps[2]
	args[8], args[9], args[10] = len(b.open), len(names), blob
	return args
}

// tried takes in the answer of lua/append.lua to a try that was not confirmed.
// The events that are open may be in the log now.
func (b *batch) tried(answer any) {
	reply, _ := answer.([]any)
	if len(reply) != 4 {
		return
	}
	text, _ := reply[2].(string)
	entry, err := parseEntryID(text)
	if err != nil {
		return
	}
	b.mine = map[int]chat.Pos{}
	for idx, i := range b.open {
		entry.Idx = uint8(idx)
		b.mine[i] = entry
	}
}

// results is one Appended per event, once nothing is open.
func (b *batch) results() []chat.Appended {
	got := make([]chat.Appended, len(b.first))
	for i, at := range b.first {
		got[i] = b.done[at]
		got[i].Duplicate = got[i].Duplicate || at != i
	}
	return got
}

// formError means that Redis's answer, or what this program keeps about the
// log, is not in a form that this version knows.
type formError struct{ what string }

func (e *formError) Error() string {
	return e.what + " is not in the form this version knows: damaged, another program's data, or of a later version"
}

func errAnswer(what string) error { return &formError{what} }

// entryID gives the id of the entry that a position is in.
func entryID(p chat.Pos) string {
	b := strconv.AppendUint(make([]byte, 0, 26), p.Ms, 10)
	b = append(b, '-')
	return string(strconv.AppendUint(b, uint64(p.Seq), 10))
}

// parseEntryID reads a stream's ms-seq.
func parseEntryID(s string) (chat.Pos, error) {
	msText, seqText, _ := strings.Cut(s, "-")
	ms, err1 := strconv.ParseUint(msText, 10, 48)
	seq, err2 := strconv.ParseUint(seqText, 10, 32)
	if err := cmp.Or(err1, err2); err != nil {
		return chat.Pos{}, fmt.Errorf("parse position: %w", err)
	}
	return chat.Pos{Ms: ms, Seq: uint32(seq)}, nil
}

// parsePos reads ms-seq-idx.
func parsePos(s string) (chat.Pos, error) {
	end := max(0, strings.LastIndexByte(s, '-'))
	p, err := parseEntryID(s[:end])
	if err != nil {
		return chat.Pos{}, err
	}
	idx, err := strconv.ParseUint(strings.TrimPrefix(s[end:], "-"), 10, 8)
	if err != nil {
		return chat.Pos{}, fmt.Errorf("parse position: %w", err)
	}
	p.Idx = uint8(idx)
	return p, nil
}
