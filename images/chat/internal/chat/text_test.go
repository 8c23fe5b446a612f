package chat

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// golden reads a file of cases that the page's and the load lab's tests read too.
func golden[T any](t *testing.T, name string) (file T) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBlank(t *testing.T) {
	file := golden[struct {
		Invisible [][2]rune
		Cases     []struct {
			Name, Text string
			Blank      bool
		}
	}](t, "blank.json")
	for _, c := range file.Cases {
		if got := Blank(c.Text); got != c.Blank {
			t.Errorf("%s: Blank(%+q) = %t", c.Name, c.Text, got)
		}
	}
	want := map[rune]bool{}
	for _, pair := range file.Invisible {
		for r := pair[0]; r <= pair[1]; r++ {
			want[r] = true
		}
	}
	for r := range unicode.MaxRune + 1 {
		if Invisible(r) != want[r] {
			t.Errorf("Invisible(%U) = %t", r, !want[r])
		}
	}
}

// TestInvisibleHoldsWhatGoKnows: every code point that Go's own, older tables
// call invisible is in the table that is written out.
func TestInvisibleHoldsWhatGoKnows(t *testing.T) {
	tables := []*unicode.RangeTable{
		unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
	}
	for r := range unicode.MaxRune + 1 {
		if unicode.In(r, tables...) && !Invisible(r) {
			t.Errorf("%U is not in the table", r)
		}
	}
}

func TestLine(t *testing.T) {
	file := golden[struct {
		Limit int
		Cases []struct {
			Name, Text string
			Line       *string
		}
	}](t, "line.json")
	for _, c := range file.Cases {
		got, ok := Line(c.Text, file.Limit)
		if ok != (c.Line != nil) || ok && got != *c.Line {
			t.Errorf("%s: Line(%+q) = %+q, %t", c.Name, c.Text, got, ok)
		}
	}
	for _, text := range []string{"a\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80"} {
		if got, ok := Line(text, file.Limit); ok {
			t.Errorf("Line(%q) = %q; it is not UTF-8", text, got)
		}
	}
}

func TestAddress(t *testing.T) {
	file := golden[struct {
		Cases []struct {
			Name, Address string
			Valid         bool
		}
		Same []struct {
			Name, A, B string
			Same       bool
		}
	}](t, "address.json")
	for _, c := range file.Cases {
		if got := ValidAddress(c.Address); got != c.Valid {
			t.Errorf("%s: ValidAddress(%+q) = %t", c.Name, c.Address, got)
		}
	}
	for _, text := range []string{"a\xff@example.org", "\"\xc3\"@example.org", "ann@[\xff]", "ann@\xed\xa0\x80"} {
		if ValidAddress(text) {
			t.Errorf("ValidAddress(%q); it is not UTF-8", text)
		}
	}
	for _, c := range file.Same {
		if !ValidAddress(c.A) || !ValidAddress(c.B) {
			t.Errorf("%s: %+q or %+q is no address", c.Name, c.A, c.B)
		}
		if got := SameAddress(c.A, c.B); got != c.Same || SameAddress(c.B, c.A) != got {
			t.Errorf("%s: SameAddress(%+q, %+q) = %t", c.Name, c.A, c.B, got)
		}
	}
}

func TestValidText(t *testing.T) {
	for text, want := range map[string]bool{
		"a": true, "\n a \n": true, strings.Repeat("🙂", 5): true, "\u202ea": true,
		"": false, "\u200b": false, "a\x00": false, "a\xff": false, strings.Repeat("a", 6): false, strings.Repeat("🙂", 6): false,
	} {
		if ValidText(text, 5) != want {
			t.Errorf("ValidText(%+q, 5) = %t", text, !want)
		}
	}
}

// FuzzLine: a line is its own line.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"tea", " e\u0301\u200b", "\u0958", "\u200d \u200d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if line, ok := Line(s, 64); ok {
			if again, ok := Line(line, 64); !ok || again != line || !norm.NFC.IsNormalString(line) || utf8.RuneCountInString(line) > 64 {
				t.Errorf("Line(%+q) = %+q, and of that %+q", s, line, again)
			}
		}
	})
}
