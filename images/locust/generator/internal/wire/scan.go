package wire

import "strings"

// scan reads a messages or an ack frame in one pass and without reflection: such
// frames are nearly all that a busy socket gets. It returns nil for whatever is not
// plain (another kind, escapes, nested or unknown values, an error): Decode
// then takes the thorough way, so scan need only be right about what it takes.
func scan(raw []byte) *Frame {
	// One copy, which all fields share.
	s := scanner{rest: string(raw)}
	f := &Frame{}
	seen := 0
	for first := true; ; first = false {
		key, more := s.member(first)
		if !more {
			break
		}
		bit := 0
		switch key {
		case "type":
			bit, f.Type = 1, s.text()
		case "cursor":
			bit, f.Cursor = 2, s.text()
		case "messages":
			bit, f.Messages = 4, s.messages()
		case "key":
			bit, f.Key = 8, s.text()
		case "id":
			bit, f.ID = 16, s.text()
		case "time":
			bit, _ = 32, s.text()
		}
		if s.failed || bit == 0 || seen&bit != 0 { // unknown, or named twice
			return nil
		}
		seen |= bit
	}
	whole := !s.failed && len(s.rest) == 0
	switch {
	case whole && f.Type == KindMessages && seen&^2 == 1|4:
		return f
	case whole && f.Type == KindAck && seen == 1|8|16|32:
		return f
	}
	return nil
}

// scanner takes JSON without blanks from the front of rest; once it has failed,
// nothing it returns counts.
type scanner struct {
	rest   string
	failed bool
}

// take removes c from the front, or fails.
func (s *scanner) take(c byte) {
	if !s.next(c) {
		s.failed = true
	}
}

// next removes c from the front, if it is there.
func (s *scanner) next(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// member opens an object (first) or goes on in it, up to a member's value. more
// is false at its end.
func (s *scanner) member(first bool) (key string, more bool) {
	if first {
		s.take('{')
	} else if s.next('}') {
		return "", false
	} else {
		s.take(',')
	}
	key = s.text()
	s.take(':')
	return key, !s.failed
}

// text takes a string without escapes, control characters or anything beyond
// ASCII.
func (s *scanner) text() string {
	s.take('"')
	end := strings.IndexByte(s.rest, '"')
	if s.failed || end < 0 {
		s.failed = true
		return ""
	}
	found := s.rest[:end]
	for i := range len(found) {
		if c := found[i]; c < ' ' || c == '\\' || c > '~' {
			s.failed = true
			return ""
		}
	}
	s.rest = s.rest[end+1:]
	return found
}

// messages takes a list of plain messages.
func (s *scanner) messages() []*Message {
	var out []*Message
	s.take('[')
	for !s.failed {
		m := &Message{}
		seen := 0
		for first := true; ; first = false {
			key, more := s.member(first)
			if !more {
				break
			}
			bit, field := m.field(key)
			if field == nil || seen&bit != 0 { // unknown, or named twice
				s.failed = true
				return nil
			}
			*field = s.text()
			seen |= bit
		}
		if s.failed || seen != 1<<7-1 || m.ID == "" {
			s.failed = true
			return nil
		}
		out = append(out, m)
		if s.next(']') {
			return out
		}
		s.take(',')
	}
	return nil
}

// field is where a message keeps a field, and the bit it is ticked off with;
// nil where it is none of the seven.
func (m *Message) field(name string) (int, *string) {
	switch name {
	case "id":
		return 1, &m.ID
	case "key":
		return 2, &m.Key
	case "topic":
		return 4, &m.Topic
	case "name":
		return 8, &m.Name
	case "email":
		return 16, &m.Email
	case "time":
		return 32, &m.Time
	case "content":
		return 64, &m.Content
	}
	return 0, nil
}
