package redisstore

import (
	"testing"

	"chatapp/chat/internal/chat"
)

// FuzzEntry: whatever an entry holds, it is read, or refused, never more.
func FuzzEntry(f *testing.F) {
	d := chat.Draft{Key: "k", Topic: "t", Name: "n", Email: "e@example.org", Content: "c"}
	good := string(appendMessage(appendMessage(nil, 0, d), 1, d))
	f.Add("1-2", "1", "2", good)
	f.Add("1-2", "1", "1", good) // a topic too few
	f.Add("1-2", "2", "2", good)
	f.Add("1", "1", "2", good)
	f.Add("1-2", "1", "2", good[:len(good)-1])
	f.Add("1-2", "1", "2", "\x00\xff\xff\xff")
	p := &partition{keys: newPartKeys("chat", 0)}
	f.Fuzz(func(t *testing.T, id, version, topics, blob string) {
		raw := []any{id, []any{version, topics, "t", "-", "u", "3 1-1 0", "m", blob}}
		e, err := parseEntry(raw, p)
		if err != nil {
			return
		}
		ms, err := e.messages(nil)
		if err == nil && blob == good && (len(ms) != 2 || ms[1].Topic != "u" || ms[1].ID.Idx != 1 || ms[0].Content != "c") {
			t.Errorf("read %+v", ms)
		}
	})
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
