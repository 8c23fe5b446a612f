package chat

import "testing"

func TestFoldAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ann@example.org", "Ann@Example.ORG", true},
		{"ann@example.org", "ann@example.com", false},
		{"zoe\u0308@example.org", "ZO\u00cb@example.org", true},        // ë in two forms
		{"\u212a@example.org", "k@example.org", true},                  // the Kelvin sign
		{"\u017f@example.org", "S@example.org", true},                  // the long s
		{"\u03c3\u03c2@example.org", "\u03a3\u03a3@example.org", true}, // Greek sigmas
		{"stra\u00dfe@example.org", "strasse@example.org", false},      // simple folding keeps lengths
		{"\u1e9e@example.org", "\u00df@example.org", true},             // the capital sharp s
		{"\u0131@example.org", "i@example.org", false},                 // the dotless i
		{"\u0130@example.org", "i@example.org", false},
		{"\uff21@example.org", "a@example.org", false}, // NFC, not NFKC
		{"\uff21@example.org", "\uff41@example.org", true},
	} {
		if got := FoldAddress(c.a) == FoldAddress(c.b); got != c.same {
			t.Errorf("%q and %q are the same: %v; want %v", c.a, c.b, got, c.same)
		}
		if again := FoldAddress(FoldAddress(c.a)); again != FoldAddress(c.a) {
			t.Errorf("%q folds to %q, and that to %q", c.a, FoldAddress(c.a), again)
		}
	}
}

func TestKeyDigest(t *testing.T) {
	d := Draft{Key: "k", Topic: "tea", Email: "ann@example.org"}
	same := d
	same.Email, same.Content, same.Name = "ANN@example.org", "other words", "other name"
	if same.KeyDigest() != d.KeyDigest() {
		t.Error("the same key, address and topic have two digests")
	}
	for _, other := range []Draft{
		{Key: "l", Topic: "tea", Email: "ann@example.org"},
		{Key: "k", Topic: "Tea", Email: "ann@example.org"},
		{Key: "k", Topic: "tea", Email: "bob@example.org"},
		{Key: "ak", Topic: "te", Email: "ann@example.org"},
		{Key: "k", Topic: "gtea", Email: "ann@example.or"},
	} {
		if other.KeyDigest() == d.KeyDigest() {
			t.Errorf("%+v has the digest of %+v", other, d)
		}
	}
	if n := testing.AllocsPerRun(100, func() { d.KeyDigest() }); n != 0 {
		t.Errorf("a digest takes %v allocations", n)
	}
}
