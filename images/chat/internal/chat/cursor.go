package chat

import (
	"errors"
	"strings"
)

// Cursor says how far a reader has got in the whole log: everything at or
// before Pos[i] in partition i has been seen. It knows nothing of topics, so a
// cursor taken under one set of topics serves any other.
type Cursor struct {
	Epoch uint64 // the log's identity; another epoch, another log
	Pos   []Pos  // by partition
}

// cursorVersion starts every text form, so that a later form can be told apart.
const cursorVersion = "1"

// String is the text form that clients keep and must not look into.
func (c Cursor) String() string {
	var room [128]byte // enough for a few partitions, without an allocation
	b := append(room[:0], cursorVersion...)
	b = appendHex(b, c.Epoch, 16)
	for _, p := range c.Pos {
		b = p.appendPos(b)
	}
	return string(b)
}

var errCursor = errors.New("not a cursor: send one that the server gave, or none")

// ParseCursor reads the text form. It does not judge whether the log can
// honour the cursor; State.Honours does.
func ParseCursor(s string) (Cursor, error) {
	rest, ok := strings.CutPrefix(s, cursorVersion)
	if !ok || len(rest) < 16 || (len(rest)-16)%posText != 0 || (len(rest)-16)/posText > MaxPartitions {
		return Cursor{}, errCursor
	}
	epoch, err := parseHex(rest[:16])
	if err != nil {
		return Cursor{}, errCursor
	}
	c := Cursor{Epoch: epoch}
	for rest = rest[16:]; rest != ""; rest = rest[posText:] {
		p, err := parsePos(rest[:posText])
		if err != nil {
			return Cursor{}, errCursor
		}
		c.Pos = append(c.Pos, p)
	}
	return c, nil
}

// Clone returns a copy that shares nothing with c.
func (c Cursor) Clone() Cursor {
	c.Pos = append([]Pos(nil), c.Pos...)
	return c
}
