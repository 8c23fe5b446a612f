package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold puts s into NFC and each character into the form that stands for all
// that Unicode's simple case folding makes equal to it. Results are for
// comparing, not for showing.
func fold(s string) string {
	ascii, lower := true, true
	for i := range len(s) {
		c := s[i]
		ascii = ascii && c < utf8.RuneSelf
		lower = lower && (c < 'A' || c > 'Z')
	}
	if ascii {
		if lower {
			return s
		}
		return strings.ToLower(s)
	}
	return strings.Map(foldRune, norm.NFC.String(s))
}

// foldRune gives the smallest lower-case letter of r's orbit, or, where there
// is none, the smallest of all.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	best := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if a, b := unicode.IsLower(next), unicode.IsLower(best); a && !b || a == b && next < best {
			best = next
		}
	}
	return best
}

// invisible are the characters that do not show: a text of these alone is
// blank.
func invisible(r rune) bool {
	return r == '\u2800' || unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func isBlank(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !invisible(r) }) < 0
}

// endsWord reports whether r cannot be part of a word.
func endsWord(r rune) bool {
	return r == '"' || r == '(' || r == ')' || unicode.Is(unicode.White_Space, r)
}

// inTag reports whether r can stand in a tag behind its '#'.
func inTag(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd)
}

// isTag reports whether a word is '#' and one or more characters of a tag.
func isTag(s string) bool {
	return len(s) > 1 && s[0] == '#' && strings.IndexFunc(s[1:], func(r rune) bool { return !inTag(r) }) < 0
}
