package live

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"chatapp/chat/internal/wire"
)

// TestEphemeralsAreDroppedFirst fills an outbox that nobody empties: ephemeral
// messages go before anything else does, and are counted.
func TestEphemeralsAreDroppedFirst(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	o := &outbox{flushing: true} // as if a write were under way
	o.init(nil, 1000, m)
	frame := func(size int) *wire.Frame { return &wire.Frame{Text: make([]byte, size)} }
	kinds := func() (whispers, others int) {
		for _, f := range o.frames {
			if f.whisper {
				whispers++
			} else {
				others++
			}
		}
		return whispers, others
	}
	for range 10 {
		o.Whisper(frame(100))
	}
	if whispers, _ := kinds(); whispers != 2 {
		t.Errorf("%d ephemeral frames wait; want 2, a quarter of the room", whispers)
	}
	for range 8 {
		o.Deliver(frame(100))
	}
	if whispers, others := kinds(); whispers != 2 || others != 8 {
		t.Errorf("%d ephemeral and %d other frames wait", whispers, others)
	}
	o.Deliver(frame(100)) // no room: the ephemeral ones make it
	if whispers, others := kinds(); whispers != 0 || others != 9 || o.closing != 0 {
		t.Errorf("%d ephemeral and %d other frames wait, closing %d; want 0, 9, 0", whispers, others, o.closing)
	}
	if got := valueOf(t, m.dropped); got != 10 {
		t.Errorf("%v dropped frames are counted, want 10", got)
	}
	if got := valueOf(t, m.slow); got != 0 {
		t.Errorf("%v sessions were closed as slow", got)
	}
}

func valueOf(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var d dto.Metric
	if err := c.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue()
}
