package wire

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"chatapp/chat/internal/chat"
)

// escapeForms are the ways to write a JSON string.
var escapeForms = map[string]func(rune) string{
	"as it is": func(r rune) string {
		if r < ' ' || r == '"' || r == '\\' {
			return fmt.Sprintf(`\u%04x`, r)
		}
		return string(r)
	},
	"escaped beyond ASCII": func(r rune) string { // as Python's json.dumps does
		if ' ' <= r && r < 0x7f && r != '"' && r != '\\' {
			return string(r)
		}
		return escapeRune(r, "%04x")
	},
	"escaped, every character":              func(r rune) string { return escapeRune(r, "%04x") },
	"escaped, every character, in capitals": func(r rune) string { return escapeRune(r, "%04X") },
}

func escapeRune(r rune, digits string) string {
	if high, low := utf16.EncodeRune(r); high != 0xfffd {
		return fmt.Sprintf(`\u`+digits+`\u`+digits, high, low)
	}
	return fmt.Sprintf(`\u`+digits, r)
}

func escapeAll(s string, form func(rune) string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(form(r))
	}
	b.WriteByte('"')
	return b.String()
}

// TestLargestPostFits: the largest post, with every field at its limit and
// written as JSON makes it longest, is read, and is acceptable.
func TestLargestPostFits(t *testing.T) {
	most := 0
	for form, escape := range escapeForms {
		for chars, fields := range map[string][5]string{
			"ASCII":      {strings.Repeat("k", 64), strings.Repeat("t", 64), strings.Repeat("n", 64), strings.Repeat("e", 242) + "@example.org", strings.Repeat("c", 4000)},
			"quotes":     {strings.Repeat("-", 64), strings.Repeat(`"`, 64), strings.Repeat(`\`, 64), `"` + strings.Repeat(`\"`, 120) + `"@example.org`, strings.Repeat("\"", 4000)},
			"newlines":   {strings.Repeat(":", 64), strings.Repeat("/", 64), strings.Repeat("/", 64), strings.Repeat("/", 242) + "@example.org", strings.Repeat("a\n", 2000)},
			"two bytes":  {strings.Repeat("k", 64), strings.Repeat("é", 64), strings.Repeat("é", 64), strings.Repeat("é", 242) + "@example.org", strings.Repeat("é", 4000)},
			"astral":     {strings.Repeat("k", 64), strings.Repeat("🙂", 64), strings.Repeat("🙂", 64), strings.Repeat("🙂", 126) + "@" + strings.Repeat("🙂", 127), strings.Repeat("🙂", 4000)},
			"decomposed": {strings.Repeat("k", 64), norm.NFD.String(strings.Repeat("\u1f82", 64)), norm.NFD.String(strings.Repeat("\U0001109a", 64)), strings.Repeat("🙂", 126) + "@" + strings.Repeat("🙂", 127), strings.Repeat("🙂", 4000)},
		} {
			t.Run(form+"/"+chars, func(t *testing.T) {
				var b strings.Builder
				fmt.Fprintf(&b, `{%s:%s`, escapeAll("type", escape), escapeAll("post", escape))
				for i, name := range []string{"key", "topic", "name", "email", "content"} {
					fmt.Fprintf(&b, `,%s:%s`, escapeAll(name, escape), escapeAll(fields[i], escape))
				}
				b.WriteByte('}')
				most = max(most, b.Len())
				f, bad := Decode([]byte(b.String()))
				if bad != nil {
					t.Fatal(bad)
				}
				d := f.(Post).Draft
				if d.Content != fields[4] || d.Email != fields[3] {
					t.Error("a field is read as another text")
				}
				if _, err := d.Clean(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if most != largestPost || most > MaxFrame {
		t.Errorf("the largest post is %d bytes, computed %d; a frame holds %d", most, largestPost, MaxFrame)
	}
	t.Logf("the largest post is %d bytes of the %d of a frame", most, MaxFrame)
}

// TestDecomposedPoint: no code point of a line was more than decomposedPoint
// bytes of JSON before NFC.
func TestDecomposedPoint(t *testing.T) {
	for r := rune(1); r <= 0x10ffff; r++ {
		s := string(r)
		if !norm.NFC.IsNormalString(s) {
			continue
		}
		if n := len(escapeAll(norm.NFD.String(s), escapeForms["escaped, every character"])) - len(`""`); n > decomposedPoint {
			t.Errorf("%U is %d bytes, decomposed and escaped", r, n)
		}
	}
}

func TestEcho(t *testing.T) {
	if Echo(strings.Repeat("k", maxEcho)) == "" || Echo(strings.Repeat("k", maxEcho+1)) != "" || maxEcho < 4*chat.MaxKey || maxEcho < 4*MaxRef {
		t.Error("Echo is wrong")
	}
}
