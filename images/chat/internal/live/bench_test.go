package live

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/feed"
)

func batch(first, n int) chat.Batch {
	b := chat.Batch{Events: make([]chat.Event, 0, n)}
	for i := range n {
		b.Through = chat.Pos{Ms: uint64(first + i)}
		b.Events = append(b.Events, chat.Event{ID: chat.ID{Pos: b.Through}, Kind: chat.KindMessage, Draft: chat.Draft{
			Key: fmt.Sprint("k0-", first+i), Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: strings.Repeat("x", 200),
		}})
	}
	return b
}

func messages(b chat.Batch) []chat.Message {
	list := make([]chat.Message, len(b.Events))
	for i, e := range b.Events {
		list[i] = e.Message()
	}
	return list
}

// idleOutbox gathers and is never written.
func idleOutbox(m *Metrics) *outbox {
	o := &outbox{flushing: true}
	o.init(nil, 1<<30, m)
	return o
}

func newHub(m *Metrics, events []chat.Event) *feed.Hub {
	h := feed.NewHub(1, m.feed)
	recent := chat.Batch{Events: events}
	if n := len(events); n > 0 {
		recent.Through = events[n-1].ID.Pos
	}
	h.Reset(1, []chat.Batch{recent}, feed.Standing{})
	return h
}

// BenchmarkBroadcast is what the hub costs for each session: encoding once,
// the cursor, and a push to each outbox. Nothing is written.
func BenchmarkBroadcast(b *testing.B) {
	for _, topics := range []chat.TopicSet{chat.AllTopics, {Names: []string{"tea"}}, {Names: []string{"cake", "tea"}}} {
		for _, n := range []int{1, 16} {
			const sessions = 1000
			b.Run(fmt.Sprintf("topics=%d/messages=%d", len(topics.Names), n), func(b *testing.B) {
				m := NewMetrics(prometheus.NewRegistry())
				h := newHub(m, nil)
				all := make([]*outbox, sessions)
				for i := range all {
					all[i] = idleOutbox(m)
					h.Attach(all[i], feed.Interest{Topics: topics}, 1, make([]chat.Pos, 1), 0)
				}
				first := 1
				b.ReportAllocs()
				for b.Loop() {
					h.Publish(0, batch(first, n))
					first += n
					for _, o := range all { // what flush does, less the write
						o.frames = o.frames[:0]
						o.deliveries.Reset()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*sessions), "ns/delivery")
			})
		}
	}
}

// BenchmarkQueue is one frame through an outbox onto a socket that is read:
// push, flush's goroutine, the write; 16 at once are joined into one frame.
func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("frames=%d", n), func(b *testing.B) {
			p := startTCP(b, newMemStore(1), Config{})
			defer p.close()
			c := p.connect()
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = io.Copy(io.Discard, c.NetConn())
			}()
			for len(p.all()) == 0 { // the upgrade is answered a moment before
				time.Sleep(time.Millisecond)
			}
			o := &p.all()[0].out
			f := feed.Frame(feed.Encode(messages(batch(1, 1))), chat.Cursor{Pos: make([]chat.Pos, 1)}.String())
			b.ReportAllocs()
			for b.Loop() {
				o.mu.Lock() // so that all are there when flush looks
				for range n {
					o.frames = append(o.frames, waiting{Frame: f, delivery: true})
					o.deliveries.Force(len(f.Text))
				}
				o.start()
				o.mu.Unlock()
				<-o.drained()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/frame")
			c.Close()
			<-read
		})
	}
}

// BenchmarkEncode is one message of 200 characters made ready for everybody.
func BenchmarkEncode(b *testing.B) {
	list := messages(batch(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		feed.Encode(list)
	}
}

// BenchmarkWelcome is a hello answered from the window: 50 latest messages.
func BenchmarkWelcome(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	h := newHub(m, batch(1, 5000).Events)
	b.ReportAllocs()
	for b.Loop() {
		h.Snapshot().Last(feed.Interest{Topics: chat.AllTopics}, chat.Pos{}, 51)
	}
}
