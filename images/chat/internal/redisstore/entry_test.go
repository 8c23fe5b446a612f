package redisstore

import (
	"strconv"
	"testing"

	"chatapp/chat/internal/chat"
)

// FuzzEntry: whatever an entry holds, its events are read, or are damaged;
// there is one at the least, and their positions ascend.
func FuzzEntry(f *testing.F) {
	e := chat.NewEvent(chat.Draft{Key: "k", Topic: "t", Name: "n", Email: "e@example.org", Content: "c"})
	good := string(appendEvent(appendEvent(nil, 0, e), 1, e))
	f.Add("1-2", "1", "2", good)
	f.Add("1-2", "1", "1", good) // a topic too few
	f.Add("1-2", "2", "2", good)
	f.Add("1", "1", "2", good)
	f.Add("1-2", "1", "2", good[:len(good)-1])
	f.Add("1-2", "1", "2", "\x00\xff\xff\xff")
	f.Fuzz(func(t *testing.T, id, version, topics, blob string) {
		raw := []any{id, []any{version, topics, "t", "-", "u", "3 1-1 0", "m", blob}}
		parsed, err := parseEntry(raw, 0)
		if err != nil {
			return
		}
		got := parsed.events(nil)
		if len(got) == 0 {
			t.Fatal("an entry without an event: a reader would never be past it")
		}
		for i := range got {
			if i > 0 && got[i].ID.Compare(got[i-1].ID) <= 0 {
				t.Fatalf("%v comes after %v", got[i].ID, got[i-1].ID)
			}
		}
		if !parsed.damaged && blob == good && topics == "2" &&
			(len(got) != 2 || got[1].Draft.Topic != "u" || got[1].ID.Idx != 1 || got[0].Draft.Content != "c") {
			t.Errorf("read %+v", got)
		}
	})
}

func TestDamagedEntries(t *testing.T) {
	e := chat.NewEvent(chat.Draft{Key: "k", Topic: "t", Name: "n", Email: "e@example.org", Content: "c"})
	good := string(appendEvent(nil, 0, e))
	for _, c := range []struct {
		name   string
		fields []any
		want   string // kinds, with the index of each
	}{
		{"as it is", []any{"1", "1", "t", "-", "m", good}, "m0"},
		{"fields of a later version", []any{"1", "1", "t", "-", "m", good + good, "x", "y"}, "m0 m1"},
		{"an unknown kind", []any{"1", "1", "t", "-", "m", good + "\x00\x02\x00\x00z\x00" + good}, "m0 z1 m2"},
		{"a topic that is not listed", []any{"1", "1", "t", "-", "m", good + "\x01" + good[1:] + good}, "m0 damaged1 m2"},
		{"a record cut off within", []any{"1", "1", "t", "-", "m", good + "\x00\x02\x00\x00m\x05" + good}, "m0 damaged1 m2"},
		{"events cut off", []any{"1", "1", "t", "-", "m", good + good[:len(good)-3]}, "m0 damaged255"},
		{"a header cut off", []any{"1", "1", "t", "-", "m", good + "\x00\x01"}, "m0 damaged255"},
		{"no events", []any{"1", "1", "t", "-", "m", ""}, "damaged255"},
		{"another version", []any{"2", "1", "t", "-", "m", good}, "damaged255"},
		{"too few fields", []any{"1", "1", "t", "m", good}, "damaged255"},
		{"another program's", []any{"somebody", "else"}, "damaged255"},
		{"no number of topics", []any{"1", "x", "t", "-", "m", good}, "damaged255"},
		{"too great a number of topics", []any{"1", "2", "t", "-", "m", good}, "damaged255"},
		{"too small a number of topics", []any{"1", "0", "t", "-", "m", good}, "damaged255"},
		{"no fields", nil, "damaged255"},
	} {
		parsed, err := parseEntry([]any{"5-1", c.fields}, 3)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range parsed.events(nil) {
			if e.ID.Ms != 5 || e.ID.Seq != 1 || e.ID.Part != 3 {
				t.Errorf("%s: an event at %v", c.name, e.ID)
			}
			got += " " + e.Kind.String() + strconv.Itoa(int(e.ID.Idx))
		}
		if got != " "+c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
	}
}

func TestParsePos(t *testing.T) {
	for text, want := range map[string]chat.Pos{
		"0-0-0": {}, "1-2-3": {Ms: 1, Seq: 2, Idx: 3}, "281474976710655-4294967295-255": chat.MaxPos,
	} {
		if got, err := parsePos(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "1-2", "1-2-", "1-2-3-", "1-2-3-4", "-1-2-3", "1-2-256", "281474976710656-0-0", "a-1-1", "1-4294967296-0"} {
		if got, err := parsePos(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if got := entryID(chat.MaxPos); got != "281474976710655-4294967295" {
		t.Errorf("the greatest entry is %s", got)
	}
}
