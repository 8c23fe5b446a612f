package measured

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/internal/chat"
)

func TestSteppedOverIsCountedAndLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	registry := prometheus.NewRegistry()
	u := NewUnknown(registry, slog.New(slog.NewTextHandler(&out, nil)))
	at := func(ms uint64) chat.ID { return chat.ID{Pos: chat.Pos{Ms: ms}, Part: 2} }
	for range 3 {
		u.SteppedOver(chat.Event{ID: at(1), Kind: 'z'})
		u.SteppedOver(chat.Event{ID: at(2), Kind: 'z'})
		u.SteppedOver(chat.Damaged(at(3), "tea"))
		u.SteppedOver(chat.Damaged(at(4), ""))
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].Metric) != 2 {
		t.Fatalf("metrics %v, %v; want one, of two kinds", families, err)
	}
	for _, m := range families[0].Metric {
		if kind := m.Label[0].GetValue(); m.Counter.GetValue() != 6 || kind != "z" && kind != "damaged" {
			t.Errorf("%v of kind %s; want 6", m.Counter.GetValue(), kind)
		}
	}
	log := out.String()
	if n := strings.Count(log, "\n"); n != 3 || strings.Count(log, "kind=z") != 1 {
		t.Errorf("%d log lines; want one for the kind, two for the damaged positions:\n%s", n, log)
	}
	for _, id := range []chat.ID{at(3), at(4)} {
		if !strings.Contains(log, "id="+id.String()) {
			t.Errorf("the log does not name %v:\n%s", id, log)
		}
	}
	if strings.Contains(log, "tea") {
		t.Errorf("the log names a topic:\n%s", log)
	}
}
