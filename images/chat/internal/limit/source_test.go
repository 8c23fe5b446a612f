package limit

import (
	"testing"
)

func TestSourceOf(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1:5":                       "192.0.2.1",
		"[::ffff:192.0.2.1]:5":              "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:5":          "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff:ffff:0:1%e0]:5": "2001:db8:1:2::/64",
		"nonsense":                          "",
	} {
		if got := Source(from); got != want {
			t.Errorf("%s counts as %q; want %q", from, got, want)
		}
	}
}
