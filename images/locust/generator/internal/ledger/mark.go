package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The mark that every load message carries at the start of its content, as
// chatload/mark.py has it:
//
//	~cl2|run|poster|seq|size|intended|lag|padding
//
// The padding is known, so any change of the content shows.
const (
	magic      = "~cl2|"
	pad        = "load test message padding "
	maxContent = 4000
)

var padding = strings.Repeat(pad, maxContent/len(pad)+1)

// errDamaged says that a marked content is not to the letter what was posted.
var errDamaged = errors.New("a marked content is damaged")

// Mark is a message's place in the run. Seq counts 0, 1, 2, … within one
// (topic, poster) stream. Intended is when the post was due, Lag how much
// later it was sent, both µs of the lab's clock.
type Mark struct {
	Run, Poster   string
	Seq           int
	Intended, Lag int64
}

// Sent is when it was first put on the wire, µs of the lab's clock.
func (m Mark) Sent() int64 { return m.Intended + m.Lag }

// Content is a text of about size characters that carries the mark: no
// shorter than the mark, and no longer than the contract's 4,000.
func (m Mark) Content(size int) string {
	head := fmt.Sprintf("%s%s|%s|%d|", magic, m.Run, m.Poster, m.Seq)
	tail := fmt.Sprintf("|%d|%d|", m.Intended, m.Lag)
	length := len(head) + 4 + len(tail) // the size has four digits
	total := max(min(size, maxContent), length)
	return fmt.Sprintf("%s%04d%s%s", head, total, tail, padding[:total-length])
}

// ReadMark is the mark of a content. ok is false for somebody else's message;
// the error says that the server changed what it was given.
func ReadMark(content string) (m Mark, ok bool, err error) {
	if !strings.HasPrefix(content, magic) {
		return Mark{}, false, nil
	}
	parts := strings.SplitN(content, "|", 8)
	if len(parts) < 8 {
		return Mark{}, false, errDamaged
	}
	seq, err1 := strconv.Atoi(parts[3])
	size, err2 := strconv.Atoi(parts[4])
	intended, err3 := strconv.ParseInt(parts[5], 10, 64)
	lag, err4 := strconv.ParseInt(parts[6], 10, 64)
	if errors.Join(err1, err2, err3, err4) != nil || seq < 0 ||
		utf8.RuneCountInString(content) != size || !strings.HasPrefix(padding, parts[7]) {
		return Mark{}, false, errDamaged
	}
	return Mark{parts[1], parts[2], seq, intended, lag}, true, nil
}
