package filter

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is what a filter looks at.
type Message struct {
	Content string
	Name    string
	Email   string
	Topic   string
	Account string // of the poster; empty for a guest
	Time    time.Time
	Reply   bool
	Deleted bool // matches no filter
}

// Folded is a message made ready to be matched by any number of matchers, from
// any number of goroutines.
type Folded struct {
	content, name, email, topic string
	account                     string
	ms                          int64
	reply, deleted              bool
}

// Fold makes m ready. It takes more time than the matching: do it once.
func Fold(m Message) Folded {
	return Folded{
		content: fold(m.Content), name: fold(m.Name), email: fold(m.Email), topic: fold(m.Topic),
		account: m.Account, ms: m.Time.UnixMilli(), reply: m.Reply, deleted: m.Deleted,
	}
}

// Matcher is a filter bound to a reader and to a moment. It is safe for use by
// many goroutines.
type Matcher struct {
	key   string
	match func(*Folded) bool

	expr    *Expr
	account string
	read    time.Time
	topics  bool // it asks for topics, which may be rooms' names
}

// Key names all matchers that match the same messages; it must not be shown.
func (m *Matcher) Key() string { return m.key }

// Match reports whether the message matches. A deleted one never does.
func (m *Matcher) Match(f *Folded) bool { return !f.deleted && m.match(f) }

// Reader is what a filter may ask about its reader.
type Reader struct {
	Account string            // for is:mine; empty for a guest
	Rooms   map[string]string // for topic: the reader's rooms, by topic, and their names
}

// Compile binds e to a reader, and to the moment at which the server read the
// frame, from which relative times are counted. Rooms have the names that they
// have at that moment; Rebind gives them later ones.
func (e *Expr) Compile(reader Reader, read time.Time) *Matcher {
	c := &compiler{account: reader.Account, now: read.UnixMilli(), rooms: reader.Rooms}
	m := &Matcher{match: c.compile(e.root), key: e.text, expr: e, account: reader.Account, read: read}
	m.topics = len(c.usesRooms) > 0
	if c.usesNow {
		m.key += "\x00" + strconv.FormatInt(c.now, 10)
	}
	if c.usesAccount {
		m.key += "\x00" + c.account
	}
	for _, room := range c.usesRooms {
		m.key += "\x00" + room
	}
	return m
}

// Rebind gives the matcher for the rooms that its reader has now, by topic, and
// their names: it joins some and leaves others, and they are renamed. All else
// stays, the moment too.
func (m *Matcher) Rebind(rooms map[string]string) *Matcher {
	if !m.topics {
		return m
	}
	return m.expr.Compile(Reader{Account: m.account, Rooms: rooms}, m.read)
}

type compiler struct {
	account              string
	now                  int64
	usesNow, usesAccount bool
	rooms                map[string]string
	usesRooms            []string // in the order of the terms that name them
}

func (c *compiler) compile(n node) func(*Folded) bool {
	switch n := n.(type) {
	case and:
		terms := c.compileAll(n)
		return func(f *Folded) bool {
			for _, term := range terms {
				if !term(f) {
					return false
				}
			}
			return true
		}
	case or:
		clauses := c.compileAll(n)
		return func(f *Folded) bool {
			for _, clause := range clauses {
				if clause(f) {
					return true
				}
			}
			return false
		}
	case not:
		of := c.compile(n.of)
		return func(f *Folded) bool { return !of(f) }
	case word:
		s := string(n)
		return func(f *Folded) bool { return strings.Contains(f.content, s) }
	case tag:
		s := string(n)
		return func(f *Folded) bool { return hasTag(f.content, s) }
	case from:
		s := string(n)
		return func(f *Folded) bool { return f.email == s || strings.Contains(f.name, s) }
	case topic:
		s := string(n)
		rooms := c.named(s)
		if len(rooms) == 0 {
			return func(f *Folded) bool { return f.topic == s }
		}
		return func(f *Folded) bool { return f.topic == s || slices.Contains(rooms, f.topic) }
	case instant:
		c.usesNow = c.usesNow || n.when.ago
		at := n.when.at(c.now)
		if n.after {
			return func(f *Folded) bool { return f.ms >= at }
		}
		return func(f *Folded) bool { return f.ms < at }
	case during:
		s := span(n)
		return func(f *Folded) bool { return s.has(f.ms) }
	case is:
		return c.compileIs(n)
	}
	panic("filter: unknown node") // the parser makes no others
}

// named gives the reader's rooms that have a name, which is folded.
func (c *compiler) named(name string) []string {
	var rooms []string
	for room, n := range c.rooms {
		if fold(n) == name {
			rooms = append(rooms, fold(room))
		}
	}
	slices.Sort(rooms)
	c.usesRooms = append(append(c.usesRooms, strconv.Itoa(len(rooms))), rooms...)
	return rooms
}

func (c *compiler) compileAll(nodes []node) []func(*Folded) bool {
	all := make([]func(*Folded) bool, len(nodes))
	for i, n := range nodes {
		all[i] = c.compile(n)
	}
	return all
}

func (c *compiler) compileIs(n is) func(*Folded) bool {
	switch n {
	case "reply":
		return func(f *Folded) bool { return f.reply }
	case "verified":
		return func(f *Folded) bool { return f.account != "" }
	}
	c.usesAccount = true
	account := c.account
	return func(f *Folded) bool { return account != "" && f.account == account }
}

// hasTag reports whether s holds a whole hashtag. Both are folded.
func hasTag(s, tag string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], tag)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(tag)
		before, n := utf8.DecodeLastRuneInString(s[:start])
		after, k := utf8.DecodeRuneInString(s[end:])
		if (n == 0 || !inTag(before)) && (k == 0 || !inTag(after)) {
			return true
		}
		from = start + 1 // behind its "#"
	}
}
