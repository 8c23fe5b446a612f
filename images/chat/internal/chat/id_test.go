package chat

import (
	"slices"
	"testing"
)

func TestIDTextKeepsOrder(t *testing.T) {
	ids := []ID{
		{},
		{Pos: Pos{Ms: 1}},
		{Pos: Pos{Ms: 1, Idx: 255}, Part: 255},
		{Pos: Pos{Ms: 1, Seq: 1}},
		{Pos: Pos{Ms: 1, Seq: 1}, Part: 1},
		{Pos: Pos{Ms: 1, Seq: 1, Idx: 1}},
		{Pos: Pos{Ms: 16, Seq: 0}},
		{Pos: Pos{Ms: 1_795_444_732_123, Seq: 9, Idx: 3}, Part: 7},
		{Pos: MaxPos, Part: 255},
	}
	if !slices.IsSortedFunc(ids, ID.Compare) {
		t.Fatal("table is not in order of Compare")
	}
	for i, id := range ids {
		text := id.String()
		if i > 0 && ids[i-1].String() >= text {
			t.Errorf("text of %v is not after that of %v", id, ids[i-1])
		}
		back, err := ParseID(text)
		if id == (ID{}) { // which stands for none
			if err != nil || back == id || back.Compare(ids[1]) >= 0 {
				t.Errorf("ParseID(%q) = %v, %v; want what is before all ids, and not the zero ID", text, back, err)
			}
		} else if err != nil || back != id {
			t.Errorf("ParseID(%q) = %v, %v; want %v", text, back, err, id)
		}
		if i > 0 && id.Pos != ids[i-1].Pos && ids[i-1].Next().Compare(id.Pos) > 0 {
			t.Errorf("Next of %v skips %v", ids[i-1].Pos, id.Pos)
		}
	}
	if MaxPos.Next() != MaxPos {
		t.Error("MaxPos has a successor")
	}
}

func TestIDRefusesOtherText(t *testing.T) {
	good := ID{Pos: Pos{Ms: 0xabc}}.String()
	for _, s := range []string{"", "x", good[:23], good + "0", "0000000009AB000000000000", "+00000000abc000000000000"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %v; want an error", s, id)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(Cursor{Epoch: 7, Pos: []Pos{{Ms: 1}, MaxPos}}.String())
	f.Add("1")
	f.Add("10000000000000000")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err == nil && c.String() != s {
			t.Errorf("ParseCursor(%q) is written back as %q", s, c.String())
		}
	})
}
