package live

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/internal/chat"
)

func batch(first, n int) []chat.Message {
	messages := make([]chat.Message, n)
	for i := range messages {
		messages[i] = logged(0, first+i, "tea")
		messages[i].Content = strings.Repeat("x", 200)
	}
	return messages
}

// BenchmarkBroadcast is what the hub costs for each session: encoding once,
// the cursor, and a push to each outbox. Nothing is written.
func BenchmarkBroadcast(b *testing.B) {
	for _, topics := range []chat.TopicSet{chat.AllTopics, {Names: []string{"tea"}}, {Names: []string{"cake", "tea"}}} {
		for _, n := range []int{1, 16} {
			const sessions = 1000
			b.Run(fmt.Sprintf("topics=%d/messages=%d", len(topics.Names), n), func(b *testing.B) {
				m := NewMetrics(prometheus.NewRegistry())
				h := newHub(1, m)
				h.reset(1, make([]chat.Pos, 1), nil)
				all := make([]*session, sessions)
				for i := range all {
					all[i] = idleSession(topics, m)
					h.attach(all[i], 1, make([]chat.Pos, 1))
				}
				first := 1
				b.ReportAllocs()
				for b.Loop() {
					h.publish(batch(first, n))
					first += n
					for _, s := range all { // what flush does, less the write
						s.out.frames, s.out.live = s.out.frames[:0], 0
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
			o := &p.all()[0].out
			f := newMessages(encode(batch(1, 1)), chat.Cursor{Pos: make([]chat.Pos, 1)}.String())
			b.ReportAllocs()
			for b.Loop() {
				o.mu.Lock() // so that all are there when flush looks
				for range n {
					o.frames = append(o.frames, waiting{f, true})
					o.live += len(f.text)
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
	messages := batch(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		encode(messages)
	}
}

// BenchmarkWelcome is a hello answered from the window: 50 latest messages.
func BenchmarkWelcome(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	h := newHub(1, m)
	h.reset(1, make([]chat.Pos, 1), batch(1, 5000))
	b.ReportAllocs()
	for b.Loop() {
		latest(h.view().items, chat.AllTopics, 51)
	}
}
