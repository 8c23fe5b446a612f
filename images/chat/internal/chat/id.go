package chat

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Pos is a place in one partition of the log: that of a message, or of the
// last message a reader has seen. Positions of one partition are totally
// ordered (Compare), and a later append always gets a greater one. The zero
// Pos is before every message.
type Pos struct {
	Ms  uint64 // milliseconds since the Unix epoch by the log's clock; at most 48 bits
	Seq uint32 // counts the batches within one millisecond
	Idx uint8  // index within the batch (MaxBatch ≤ 256 follows from its width)
}

// MaxPos is after every message.
var MaxPos = Pos{Ms: maxMs, Seq: math.MaxUint32, Idx: math.MaxUint8}

const maxMs = 1<<48 - 1

// Compare returns -1, 0 or +1 as p is before, at or after q.
func (p Pos) Compare(q Pos) int {
	if c := cmp.Compare(p.Ms, q.Ms); c != 0 {
		return c
	}
	if c := cmp.Compare(p.Seq, q.Seq); c != 0 {
		return c
	}
	return cmp.Compare(p.Idx, q.Idx)
}

// IsZero reports whether p is before every message.
func (p Pos) IsZero() bool { return p == Pos{} }

// Next is the smallest position after p; MaxPos is its own successor.
func (p Pos) Next() Pos {
	switch {
	case p == MaxPos:
		return p
	case p.Idx < math.MaxUint8:
		p.Idx++
	case p.Seq < math.MaxUint32:
		p.Seq, p.Idx = p.Seq+1, 0
	default:
		p.Ms, p.Seq, p.Idx = p.Ms+1, 0, 0
	}
	return p
}

// ID names a message for ever: its position and the partition that holds it.
// The text form has a fixed width, so that bytewise order of texts is the
// order of Compare: by time, then by position. Within one topic, which lives
// in one partition, that is the order of delivery.
type ID struct {
	Pos
	Part uint8
}

// Compare returns -1, 0 or +1 by time, position, partition.
func (id ID) Compare(other ID) int {
	if c := id.Pos.Compare(other.Pos); c != 0 {
		return c
	}
	return cmp.Compare(id.Part, other.Part)
}

// Time is when the log took the message at p, in UTC with milliseconds.
func (p Pos) Time() time.Time { return time.UnixMilli(int64(p.Ms)).UTC() }

const (
	posText = 12 + 8 + 2  // hex digits of a Pos: 48, 32 and 8 bits
	idText  = posText + 2 // and 8 bits of partition
)

// AppendText appends the 24 hex digits of id.
func (id ID) AppendText(b []byte) []byte {
	return appendHex(id.appendPos(b), uint64(id.Part), 2)
}

func (p Pos) appendPos(b []byte) []byte {
	b = appendHex(b, p.Ms, 12)
	b = appendHex(b, uint64(p.Seq), 8)
	return appendHex(b, uint64(p.Idx), 2)
}

// Hex is the text form of a position: 22 lowercase hex digits, bytewise in
// the order of Compare. An ID's text begins with it.
func (p Pos) Hex() string { return string(p.appendPos(make([]byte, 0, posText))) }

// ParsePos reads the text form.
func ParsePos(s string) (Pos, error) {
	if len(s) != posText {
		return Pos{}, errID
	}
	return parsePos(s)
}

// String is the text form: 24 lowercase hex digits.
func (id ID) String() string { return string(id.AppendText(make([]byte, 0, idText))) }

var errID = errors.New("not a message id: send one that the server gave")

// ParseID reads the text form. It never gives the zero ID, which stands for
// none.
func ParseID(s string) (ID, error) {
	if len(s) != idText {
		return ID{}, errID
	}
	p, err := parsePos(s[:posText])
	if err != nil {
		return ID{}, err
	}
	part, err := parseHex(s[posText:])
	if err != nil {
		return ID{}, err
	}
	id := ID{Pos: p, Part: uint8(part)}
	if id == (ID{}) {
		id.Pos = id.Pos.Next() // no log gives this one either: time begins at 1
	}
	return id, nil
}

func parsePos(s string) (Pos, error) {
	ms, err1 := parseHex(s[:12])
	seq, err2 := parseHex(s[12:20])
	idx, err3 := parseHex(s[20:posText])
	if err := errors.Join(err1, err2, err3); err != nil {
		return Pos{}, errID
	}
	return Pos{Ms: ms, Seq: uint32(seq), Idx: uint8(idx)}, nil
}

// parseHex takes lowercase digits only: one message has one text.
func parseHex(s string) (uint64, error) {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, errID
		}
	}
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("parse id: %w", err)
	}
	return v, nil
}

func appendHex(b []byte, v uint64, digits int) []byte {
	const hex = "0123456789abcdef"
	for i := digits - 1; i >= 0; i-- {
		b = append(b, hex[v>>(4*i)&0xf])
	}
	return b
}
