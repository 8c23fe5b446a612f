package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The rules of text in the wire contract: what is invisible, what is one line,
// what is an address. The page and the load lab have the same rules; the files
// testdata/{blank,line,address}.json hold the cases that all three are tested
// with.

// invisible is Unicode White_Space, categories Cc, Cf, Zl and Zp,
// Default_Ignorable_Code_Point, and U+2800, as of Unicode 17. It is written
// out, because the Unicode versions of Go, browsers and Python differ.
var invisible = rangeTable(
	0x0000, 0x0020, 0x007f, 0x00a0, 0x00ad, 0x00ad, 0x034f, 0x034f, 0x0600, 0x0605, 0x061c, 0x061c,
	0x06dd, 0x06dd, 0x070f, 0x070f, 0x0890, 0x0891, 0x08e2, 0x08e2, 0x115f, 0x1160, 0x1680, 0x1680,
	0x17b4, 0x17b5, 0x180b, 0x180f, 0x2000, 0x200f, 0x2028, 0x202f, 0x205f, 0x206f, 0x2800, 0x2800,
	0x3000, 0x3000, 0x3164, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xfeff, 0xffa0, 0xffa0, 0xfff0, 0xfffb,
	0x110bd, 0x110bd, 0x110cd, 0x110cd, 0x13430, 0x1343f, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0000, 0xe0fff,
)

// rangeTable makes a table of pairs: first and last code point of each range.
func rangeTable(bounds ...uint32) *unicode.RangeTable {
	t := &unicode.RangeTable{}
	for i := 0; i < len(bounds); i += 2 {
		if first, last := bounds[i], bounds[i+1]; last <= 0xffff {
			t.R16 = append(t.R16, unicode.Range16{Lo: uint16(first), Hi: uint16(last), Stride: 1})
			if last <= unicode.MaxLatin1 {
				t.LatinOffset++
			}
		} else {
			t.R32 = append(t.R32, unicode.Range32{Lo: first, Hi: last, Stride: 1})
		}
	}
	return t
}

// Invisible reports whether a reader sees nothing of r.
func Invisible(r rune) bool { return unicode.Is(invisible, r) }

// Blank reports whether a reader sees nothing of s.
func Blank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !Invisible(r) }) < 0
}

// trimmed reports whether r is taken away from both ends of a line.
func trimmed(r rune) bool {
	switch r {
	case 0x00ad, 0x115f, 0x1160, 0x180e, 0x200b, 0x2060, 0x2800, 0x3164, 0xfeff, 0xffa0:
		return true
	}
	return unicode.IsSpace(r) // White_Space
}

// breaksLine reports whether r may not stand in a line: a control character,
// a line or paragraph separator, or one that turns the direction of the text
// around it.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069
}

// Line gives s as one line, in the form in which it is stored, compared and
// selected: in NFC and trimmed. It reports false when s is not valid UTF-8, is
// blank, has more than limit code points in that form, or holds what may not
// stand in a line.
func Line(s string, limit int) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	s = strings.TrimFunc(norm.NFC.String(s), trimmed)
	if Blank(s) || utf8.RuneCountInString(s) > limit || strings.IndexFunc(s, breaksLine) >= 0 {
		return "", false
	}
	return s, true
}

// ValidText reports whether s can be a message's content: valid UTF-8 without
// U+0000, not blank, of at most limit code points.
func ValidText(s string, limit int) bool {
	return utf8.RuneCountInString(s) <= limit && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !Blank(s)
}

// MaxEmail is the most code points in an address: RFC 5321, 4.5.3.1.3, less the
// angle brackets.
const MaxEmail = 254

// ValidAddress reports whether s is an address, local@domain, of at most
// MaxEmail code points: RFC 5322's addr-spec without comments and folding,
// with the characters that RFC 6531 adds, save invisible ones. By the letter: a
// quoted string and a literal may be empty, and hold blanks and an @.
func ValidAddress(s string) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxEmail {
		return false
	}
	local, domain, found := strings.Cut(s, "@")
	if quoted := quotedPrefix(s); quoted > 0 { // it may hold an @, as a literal may
		domain, found = strings.CutPrefix(s[quoted:], "@")
	} else if !validDotAtom(local) {
		return false
	}
	return found && (validDotAtom(domain) || validLiteral(domain))
}

// validDotAtom reports whether s is atoms joined by single dots.
func validDotAtom(s string) bool {
	afterDot := true // at the beginning, a dot may not stand either
	for _, r := range s {
		if r == '.' {
			if afterDot {
				return false
			}
			afterDot = true
			continue
		}
		if !atomText(r) {
			return false
		}
		afterDot = false
	}
	return !afterDot
}

func atomText(r rune) bool {
	switch {
	case r >= utf8.RuneSelf:
		return !Invisible(r)
	case '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
		return true
	}
	return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// quotedPrefix gives the length of the quoted string at the beginning of s; 0
// if there is none.
func quotedPrefix(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	escaped := false
	for i, r := range s[1:] {
		switch {
		case !printable(r) && !wsp(r):
			return 0
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			return i + 2
		}
	}
	return 0
}

// validLiteral reports whether s is a domain literal, [192.0.2.1] say.
func validLiteral(s string) bool {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	return strings.IndexFunc(s[1:len(s)-1], func(r rune) bool {
		return !printable(r) && !wsp(r) || strings.ContainsRune(`[]\`, r)
	}) < 0
}

// wsp reports whether r is one of RFC 5322's blanks (WSP).
func wsp(r rune) bool { return r == ' ' || r == '\t' }

// printable reports whether r is visible ASCII, or beyond ASCII and visible.
func printable(r rune) bool { return '!' <= r && r <= '~' || r >= utf8.RuneSelf && !Invisible(r) }

// FoldAddress gives the form that two addresses share when they are the same:
// NFC, then simple case folding. It is for comparing, not for showing.
func FoldAddress(s string) string {
	return strings.Map(foldRune, norm.NFC.String(s))
}

// foldRune gives one character of all those that differ in case only: the
// smallest, but for letters of ASCII the lower one.
func foldRune(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + ('a' - 'A')
	case r < utf8.RuneSelf:
		return r
	case r == 0xfb05: // folds since Unicode 15.1, which Go's tables do not have yet
		return 0xfb06
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least + ('a' - 'A')
	}
	return least
}

// SameAddress reports whether two addresses are the same.
func SameAddress(a, b string) bool { return a == b || FoldAddress(a) == FoldAddress(b) }
