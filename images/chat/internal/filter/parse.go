package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What an error expected, in words. Page and load lab say the same.
const (
	expectShorter = "at most 512 characters"
	expectFewer   = "at most 32 terms"
	expectShallow = "at most 8 parentheses open"
	expectText    = "text without NUL, in UTF-8"
	expectTerm    = `a term: a word, "a phrase", #tag, field:value or (…)`
	expectQuote   = `a closing "`
	expectClosing = "a closing )"
	expectOpening = "an opening ( before this )"
	expectPhrase  = `a character between "…"`
	expectValue   = "a value directly after the colon"
	expectIs      = "is: with reply, verified or mine"
	expectDuring  = "during: with two different times, such as 09:00-17:30 or 22:00-06:00+02:00"
	expectInstant = "an instant such as 2026-01-31T15:04:05Z, a date such as 2026-01-31, or -15m, -2h, -7d"
	expectNoEmpty = "a filter between ( and )"
	operatorOr    = "OR"
)

// Parse reads a filter. A blank one is none: it gives nil and no error. The
// error is always an *Error.
func Parse(text string) (*Expr, error) {
	if utf8.RuneCountInString(text) > MaxLength {
		return nil, &Error{At: MaxLength + 1, Expected: expectShorter}
	}
	return parse(text)
}

// parse is Parse without a limit to the length: canonical texts may have more
// quotes than what was sent.
func parse(text string) (_ *Expr, err error) {
	if isBlank(text) && utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return nil, nil
	}
	p := &parser{text: text}
	root := p.filter(0)
	if p.err == nil && p.pos < len(p.text) { // only a ")" ends a filter before the end
		p.fail(p.pos, expectOpening)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Expr{root: root, text: string(root.appendTo(nil, false))}, nil
}

// parser reads by recursive descent. After the first error every method
// returns at once.
type parser struct {
	text  string
	pos   int // in bytes
	terms int
	err   *Error
}

// fail notes the first error, at a position in bytes.
func (p *parser) fail(pos int, expected string) node {
	if p.err == nil {
		p.err = &Error{At: utf8.RuneCountInString(p.text[:pos]) + 1, Expected: expected}
	}
	return nil
}

// filter reads clauses up to a ")" or the end, with open parentheses around.
func (p *parser) filter(open int) node {
	var clauses or
	for {
		clause := p.clause(open)
		if p.err != nil {
			return nil
		}
		if nested, ok := clause.(or); ok { // from needless parentheses
			clauses = append(clauses, nested...)
		} else {
			clauses = append(clauses, clause)
		}
		if !p.takeOr() {
			if len(clauses) == 1 {
				return clauses[0]
			}
			return clauses
		}
	}
}

// clause reads one or more terms up to an "OR", a ")" or the end.
func (p *parser) clause(open int) node {
	var terms and
	for {
		p.skipSpace()
		if p.pos == len(p.text) || p.text[p.pos] == ')' || p.atOr() {
			break
		}
		term := p.term(open)
		if p.err != nil {
			return nil
		}
		if nested, ok := term.(and); ok { // from needless parentheses
			terms = append(terms, nested...)
		} else {
			terms = append(terms, term)
		}
	}
	switch len(terms) {
	case 0:
		if open == 0 && p.pos < len(p.text) && p.text[p.pos] == ')' {
			return p.fail(p.pos, expectOpening)
		}
		return p.fail(p.pos, expectTerm)
	case 1:
		return terms[0]
	}
	return terms
}

func (p *parser) skipSpace() {
	rest := strings.TrimLeftFunc(p.text[p.pos:], func(r rune) bool { return unicode.Is(unicode.White_Space, r) })
	p.pos = len(p.text) - len(rest)
}

// run is the longest stretch from the position on that can be part of a word.
func (p *parser) run() string {
	rest := p.text[p.pos:]
	if end := strings.IndexFunc(rest, endsWord); end >= 0 {
		return rest[:end]
	}
	return rest
}

func (p *parser) atOr() bool { return p.run() == operatorOr }

func (p *parser) takeOr() bool {
	if !p.atOr() {
		return false
	}
	p.pos += len(operatorOr)
	return true
}

// term reads one term; start is where errors point.
func (p *parser) term(open int) node {
	start := p.pos
	denied := false
	if p.text[p.pos] == '-' && p.pos+1 < len(p.text) {
		next, _ := utf8.DecodeRuneInString(p.text[p.pos+1:])
		if next != ')' && !unicode.Is(unicode.White_Space, next) {
			denied = true
			p.pos++
		}
	}
	n := p.bare(start, open)
	if p.err != nil || !denied {
		return n
	}
	if inner, ok := n.(not); ok { // -(-a)
		return inner.of
	}
	return not{of: n}
}

// bare reads a term without its "-".
func (p *parser) bare(start, open int) node {
	if p.text[p.pos] == '(' {
		return p.group(start, open+1)
	}
	if p.terms++; p.terms > MaxTerms {
		return p.fail(start, expectFewer)
	}
	if p.text[p.pos] == '"' {
		s, ok := p.phrase(start)
		if !ok {
			return nil
		}
		return word(fold(s))
	}
	run := p.run()
	if !readable(run) {
		return p.fail(start, expectText)
	}
	if name, value, ok := strings.Cut(run, ":"); ok && isField(name) {
		p.pos += len(name) + 1
		if value == "" && p.pos < len(p.text) && p.text[p.pos] == '"' {
			if value, ok = p.phrase(start); !ok {
				return nil
			}
		} else {
			p.pos += len(value)
		}
		if value == "" {
			return p.fail(start, expectValue)
		}
		return p.field(start, name, value)
	}
	p.pos += len(run)
	if isTag(run) {
		return tag(fold(run))
	}
	return word(fold(run))
}

func (p *parser) group(start, open int) node {
	if open > MaxDepth {
		return p.fail(start, expectShallow)
	}
	p.pos++
	p.skipSpace()
	if p.pos < len(p.text) && p.text[p.pos] == ')' {
		return p.fail(start, expectNoEmpty)
	}
	if p.pos == len(p.text) {
		return p.fail(p.pos, expectClosing)
	}
	n := p.filter(open)
	if p.err != nil {
		return nil
	}
	if p.pos == len(p.text) {
		return p.fail(p.pos, expectClosing)
	}
	p.pos++ // the ")"
	return n
}

// phrase reads "…" at the position. A backslash stands for itself, but before
// a quote or another backslash.
func (p *parser) phrase(start int) (string, bool) {
	b := make([]byte, 0, 64)
	for p.pos++; p.pos < len(p.text); p.pos++ {
		c := p.text[p.pos]
		switch {
		case c == '"':
			p.pos++
			switch {
			case len(b) == 0:
				p.fail(start, expectPhrase)
			case !readable(string(b)):
				p.fail(start, expectText)
			}
			return string(b), p.err == nil
		case c == '\\' && p.pos+1 < len(p.text) && (p.text[p.pos+1] == '"' || p.text[p.pos+1] == '\\'):
			p.pos++
			b = append(b, p.text[p.pos])
		default:
			b = append(b, c)
		}
	}
	p.fail(p.pos, expectQuote)
	return "", false
}

func (p *parser) field(start int, name, value string) node {
	switch name {
	case "from":
		return from(fold(value))
	case "topic":
		return topic(fold(value))
	case "is":
		if value == "reply" || value == "verified" || value == "mine" {
			return is(value)
		}
		return p.fail(start, expectIs)
	case "during":
		if d, ok := parseSpan(value); ok {
			return during(d)
		}
		return p.fail(start, expectDuring)
	default: // before, after
		if m, ok := parseMoment(value); ok {
			return instant{after: name == "after", when: m}
		}
		return p.fail(start, expectInstant)
	}
}

// readable reports whether a message can hold s.
func readable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
