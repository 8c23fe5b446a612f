// Package filter is the language in which readers say which messages they want:
// it parses, prints and matches. It imports no other package of this module.
//
//	filter  = clause { "OR" clause }           a message matches when one clause does
//	clause  = term { term }                    … when every term does
//	term    = [ "-" ] ( word | phrase | tag | field ":" value | "(" filter ")" )
//	field   = "from" | "topic" | "before" | "after" | "during" | "is"
//	value   = word | phrase                    directly after the colon
//
// A text is parsed into an Expr once. Expr.Compile binds it to a reader and to
// a moment; the Matcher that it gives is shared by all readers with the same
// Key. A message is folded once (Fold) and then matched by any number of
// matchers.
package filter

import (
	"strings"
	"unicode/utf8"
)

// Limits of a filter, counted in code points, terms, and parentheses open at
// one time.
const (
	MaxLength = 512
	MaxTerms  = 32
	MaxDepth  = 8
)

// Error says where a filter cannot be read, and what was expected there.
type Error struct {
	At       int    // code point, from 1; one past the end when something is missing there
	Expected string // in words
}

func (e *Error) Error() string { return "filter: expected " + e.Expected }

// Expr is a filter that has been read. It never changes.
type Expr struct {
	root node
	text string
}

// String is the canonical text. Filters that differ only in case, spacing,
// quotes and needless parentheses have the same one. It can be read again, and
// then prints the same.
func (e *Expr) String() string { return e.text }

// node is one of: and, or, not, word, tag, from, topic, instant, during, is.
type node interface {
	// appendTo appends the canonical text. tight: inside a clause or behind
	// a "-", where more than one term needs parentheses.
	appendTo(b []byte, tight bool) []byte
}

type (
	and  []node // two or more
	or   []node // two or more
	not  struct{ of node }
	word string // a word or a phrase, folded
	tag  string // with its '#', folded
	from string // folded
	// topic is a topic's or a room's whole name, folded.
	topic string
	// instant is before: or after: a moment.
	instant struct {
		after bool
		when  moment
	}
	during span
	is     string // "reply", "verified", "mine"
)

func (n and) appendTo(b []byte, tight bool) []byte {
	if tight {
		b = append(b, '(')
	}
	for i, term := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		b = term.appendTo(b, true)
	}
	if tight {
		b = append(b, ')')
	}
	return b
}

func (n or) appendTo(b []byte, tight bool) []byte {
	if tight {
		b = append(b, '(')
	}
	for i, clause := range n {
		if i > 0 {
			b = append(b, " OR "...)
		}
		b = clause.appendTo(b, false)
	}
	if tight {
		b = append(b, ')')
	}
	return b
}

func (n not) appendTo(b []byte, _ bool) []byte { return n.of.appendTo(append(b, '-'), true) }

func (n word) appendTo(b []byte, _ bool) []byte {
	s := string(n)
	name, _, colon := strings.Cut(s, ":")
	if isRun(s) && !isBlank(s) && s != "OR" && s[0] != '-' && !isTag(s) && !(colon && isField(name)) {
		return append(b, s...)
	}
	return appendPhrase(b, s)
}

func (n tag) appendTo(b []byte, _ bool) []byte   { return append(b, n...) }
func (n from) appendTo(b []byte, _ bool) []byte  { return appendValue(b, "from:", string(n)) }
func (n topic) appendTo(b []byte, _ bool) []byte { return appendValue(b, "topic:", string(n)) }
func (n is) appendTo(b []byte, _ bool) []byte    { return appendValue(b, "is:", string(n)) }

func (n instant) appendTo(b []byte, _ bool) []byte {
	if n.after {
		return append(append(b, "after:"...), n.when.String()...)
	}
	return append(append(b, "before:"...), n.when.String()...)
}

func (n during) appendTo(b []byte, _ bool) []byte {
	return append(append(b, "during:"...), span(n).String()...)
}

func appendValue(b []byte, field, value string) []byte {
	b = append(b, field...)
	if isRun(value) {
		return append(b, value...)
	}
	return appendPhrase(b, value)
}

func appendPhrase(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		if r == '"' || r == '\\' {
			b = append(b, '\\')
		}
		b = utf8.AppendRune(b, r)
	}
	return append(b, '"')
}

// isRun reports whether s can stand without quotes.
func isRun(s string) bool {
	return s != "" && strings.IndexFunc(s, endsWord) < 0
}

func isField(s string) bool {
	switch s {
	case "from", "topic", "before", "after", "during", "is":
		return true
	}
	return false
}
