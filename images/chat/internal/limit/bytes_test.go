package limit

import "testing"

func TestBytes(t *testing.T) {
	b := Bytes{Most: 10}
	if !b.Take(6) || b.Take(5) || !b.Take(4) || b.Over() {
		t.Errorf("a budget of 10 after 6, 5 and 4: %+v; want 6 and 4 taken", b)
	}
	b.Force(1)
	if !b.Over() || b.Take(0) {
		t.Errorf("11 of 10: %+v is not over", b)
	}
	b.Give(7)
	if b.Over() || !b.Take(6) {
		t.Errorf("after 7 were given back: %+v", b)
	}
	b.Reset()
	if !b.Take(10) {
		t.Error("not empty after Reset")
	}
}
