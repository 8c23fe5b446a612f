package filter

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"
)

// golden is testdata/filters.json, which the page and the load lab read too.
type golden struct {
	Parse []struct {
		Filter    string `json:"filter"`
		Blank     bool   `json:"blank"`
		Canonical string `json:"canonical"`
		At        int    `json:"at"`
		Expected  string `json:"expected"`
	} `json:"parse"`
	Match []struct {
		Filter  string          `json:"filter"`
		Account string          `json:"account"`
		Now     time.Time       `json:"now"`
		Yes     []goldenMessage `json:"yes"`
		No      []goldenMessage `json:"no"`
	} `json:"match"`
}

// goldenMessage is a message, and the name that its topic has where that is a
// room of the reader's.
type goldenMessage struct {
	Message
	Room string
}

func readGolden(t testing.TB) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/filters.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGoldenParse(t *testing.T) {
	for _, c := range readGolden(t).Parse {
		e, err := Parse(c.Filter)
		var bad *Error
		switch {
		case c.At > 0:
			if !errors.As(err, &bad) || bad.At != c.At || bad.Expected != c.Expected {
				t.Errorf("Parse(%q) = %v, %+v; want an error at %d that expected %s", c.Filter, e, bad, c.At, c.Expected)
			}
		case err != nil:
			errors.As(err, &bad)
			t.Errorf("Parse(%q): error at %d, expected %s", c.Filter, bad.At, bad.Expected)
		case c.Blank != (e == nil):
			t.Errorf("Parse(%q) = %v; blank: %v", c.Filter, e, c.Blank)
		case e != nil && e.String() != c.Canonical:
			t.Errorf("Parse(%q) prints %q, want %q", c.Filter, e, c.Canonical)
		}
	}
}

func TestGoldenMatch(t *testing.T) {
	for _, c := range readGolden(t).Match {
		e, err := Parse(c.Filter)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.Filter, err)
			continue
		}
		again, err := parse(e.String())
		if err != nil {
			t.Errorf("canonical %q: %v", e, err)
			continue
		}
		for i, messages := range [][]goldenMessage{c.Yes, c.No} {
			for _, g := range messages {
				reader := Reader{Account: c.Account}
				if g.Room != "" {
					reader.Rooms = map[string]string{g.Topic: g.Room}
				}
				for _, m := range []*Matcher{e.Compile(reader, c.Now), again.Compile(reader, c.Now)} {
					f := Fold(g.Message)
					if got, want := m.Match(&f), i == 0; got != want {
						t.Errorf("%q on %+v: %v, want %v", c.Filter, g, got, want)
					}
				}
			}
		}
	}
}

func TestMatchersShareAKeyWhenTheyMatchTheSame(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	key := func(text, account string, now time.Time) string {
		t.Helper()
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return e.Compile(Reader{Account: account}, now).Key()
	}
	same := [][2]string{{key("Tea  Cake", "a", now), key(`"tea" (cake)`, "b", now.Add(1e9))}, {key("is:mine", "a", now), key("is:mine", "a", now)}}
	for i, pair := range same {
		if pair[0] != pair[1] {
			t.Errorf("pair %d: %q and %q differ", i, pair[0], pair[1])
		}
	}
	differ := [][2]string{
		{key("tea", "", now), key("cake", "", now)},
		{key("is:mine", "a", now), key("is:mine", "b", now)},
		{key("after:-1h", "", now), key("after:-1h", "", now.Add(1e9))},
	}
	for i, pair := range differ {
		if pair[0] == pair[1] {
			t.Errorf("pair %d: both %q", i, pair[0])
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range readGolden(f).Parse {
		f.Add(c.Filter)
	}
	now := time.UnixMilli(1_790_000_000_000)
	messages := []Folded{
		Fold(Message{Content: "Tea #tea (cake)", Name: "Ann", Email: "ann@example.org", Topic: "tea", Time: now}),
		Fold(Message{Content: "é OR -", Account: "a", Reply: true, Time: now.Add(-time.Hour)}),
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		var bad *Error
		if err != nil {
			if !errors.As(err, &bad) || bad.Expected == "" || bad.At < 1 || bad.At > len([]rune(text))+1 {
				t.Fatalf("Parse(%q): %v, %+v", text, err, bad)
			}
			return
		}
		if e == nil {
			return
		}
		again, err := parse(e.String())
		if err != nil {
			t.Fatalf("%q prints %q, which cannot be read: %v", text, e, err)
		}
		if again.String() != e.String() {
			t.Fatalf("%q prints %q, which prints %q", text, e, again)
		}
		a, b := e.Compile(Reader{Account: "a"}, now), again.Compile(Reader{Account: "a"}, now)
		for i := range messages {
			if a.Match(&messages[i]) != b.Match(&messages[i]) {
				t.Fatalf("%q and its canonical %q differ on message %d", text, e, i)
			}
		}
	})
}
