package load

import (
	"fmt"
	"log/slog"
	"testing"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/locust"
)

// BenchmarkDelivery is what a delivery costs beside reading the socket: a frame
// of one message, shown to a hundred readers.
func BenchmarkDelivery(b *testing.B) {
	runner, err := locust.NewRunner("127.0.0.1", "1", "", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	w := New(runner, false, slog.New(slog.DiscardHandler))
	w.reset("run", Options{})
	const readers = 100
	clients := make([]*client, readers)
	for i := range clients {
		clients[i] = newClient(w, fmt.Sprintf("r0-%d", i), []string{"a"}, false, false)
		clients[i].account = w.ledger.Reader(clients[i].name)
		clients[i].account.Welcome([]string{"a"}, nil, false, 0)
	}
	seq := 0
	for b.Loop() {
		mark := ledger.Mark{Run: "run", Poster: "p0-0", Seq: seq, Intended: nowUS()}
		raw := fmt.Appendf(nil, `{"type":"messages","messages":[{"id":"%016d","key":"k","topic":"a",`+
			`"name":"Load p0-0","email":"p0-0@load.example","time":"2026-11-23T10:00:00.000Z",`+
			`"content":"%s"}],"cursor":"%016d"}`, seq, mark.Content(200), seq)
		seq++
		for _, c := range clients {
			w.mu.Lock()
			f, err := w.decode(raw)
			if err != nil {
				b.Fatal(err)
			}
			c.handle(f, w.clock.now())
			w.mu.Unlock()
		}
	}
	if w.ledger.Counts.Delivered != seq*readers {
		b.Fatalf("%d delivered of %d", w.ledger.Counts.Delivered, seq*readers)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq*readers), "ns/delivery")
}
