package redisstore_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// cpu is the time that a Redis has spent so far, network and disk included.
func cpu(b *testing.B, s *redistest.Server) time.Duration {
	var sum float64
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		v, err := strconv.ParseFloat(s.Info(field), 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += v
	}
	return time.Duration(sum * float64(time.Second))
}

// bodies of the messages: 200 bytes, as the figures in docs/ are for.
var body = strings.Repeat("0123456789", 20)

func benchEvents(run, n, size, topics int) []chat.Event {
	events := make([]chat.Event, size)
	for i := range events {
		events[i] = chat.NewEvent(chat.Draft{
			Key:   fmt.Sprintf("%08x-0000-4000-8000-%012x", run, n*size+i), // as long as a UUID
			Topic: "topic " + strconv.Itoa((n+i)%topics),
			Name:  "Ann Example", Email: "ann@example.org", Content: body,
		})
	}
	return events
}

// rawXADD is the floor: messages of the same size, each an XADD, pipelined by
// size, while tails blocked in XREAD are fed. It gives Redis's time a message.
func rawXADD(b *testing.B, s *redistest.Server, size, tails, batches int) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	c := s.Client()
	defer c.Close()
	defer cancel()
	ends := make(chan struct{})
	for range tails {
		t := s.Client()
		go func() {
			defer func() { t.Close(); ends <- struct{}{} }()
			for id := "$"; ctx.Err() == nil; {
				got, err := t.XRead(ctx, &redis.XReadArgs{Streams: []string{"raw", id}, Count: 256, Block: 200 * time.Millisecond}).Result()
				if err == nil {
					id = got[0].Messages[len(got[0].Messages)-1].ID
				} else if id == "$" {
					id = "0"
				}
			}
		}()
	}
	record := benchEvents(0, 0, 1, 1)[0].AppendRecord(nil)
	before := cpu(b, s)
	for range batches {
		pipe := c.Pipeline()
		for range size {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: "raw", Values: []any{"topic 0", record}})
		}
		if _, err := pipe.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
	took := cpu(b, s) - before
	cancel()
	for range tails {
		<-ends
	}
	c.Del(context.Background(), "raw")
	return took / time.Duration(batches*size)
}

// BenchmarkAppend gives Redis's own time for a durable, deduplicated message,
// and its ratio to raw XADD, pipelined by 64 and feeding three tails, in the
// same run. Run it with -benchtime 2000x or so.
func BenchmarkAppend(b *testing.B) {
	for _, topics := range []int{1, 50} {
		for _, size := range []int{1, 16, 64, 256} {
			for _, tails := range []int{0, 3} {
				b.Run(fmt.Sprintf("topics=%d/batch=%d/tails=%d", topics, size, tails), func(b *testing.B) {
					benchAppend(b, topics, size, tails)
				})
			}
		}
	}
}

func benchAppend(b *testing.B, topics, size, tails int) {
	server := redistest.Start(b)
	raw := rawXADD(b, server, 64, 3, 300)
	opt := redisstore.Options{URL: server.URL()}
	s := open(b, opt)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := s.Append(ctx, 0, benchEvents(1, 0, 1, topics)); err != nil {
		b.Fatal(err)
	}
	ends := make(chan int)
	for range tails {
		pod := open(b, opt)
		go func() {
			n := 0
			for at := (chat.Pos{}); ctx.Err() == nil; {
				got, err := pod.Read(ctx, 0, at, 512, time.Minute)
				if err == nil {
					at = got.Through
					n += len(got.Events)
				}
			}
			ends <- n
		}()
	}
	before := cpu(b, server)
	n := 0
	for b.Loop() {
		n++
		if _, err := s.Append(ctx, 0, benchEvents(2, n, size, topics)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	per := float64(cpu(b, server)-before) / float64(n*size)
	cancel()
	for range tails {
		<-ends
	}
	b.ReportMetric(per/1000, "redis-µs/msg")
	b.ReportMetric(per/float64(raw), "×raw-xadd")
	b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkMemory gives what Redis keeps for each message in the log, and for
// each key that it remembers.
func BenchmarkMemory(b *testing.B) {
	const messages = 1 << 16
	for _, size := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			server := redistest.Start(b, "--appendonly", "no")
			s := open(b, redisstore.Options{URL: server.URL()})
			payload := 0
			for b.Loop() {
				server.Do("flushall")
				for n := range messages / size {
					ds := benchEvents(1, n, size, 10)
					if _, err := s.Append(context.Background(), 0, ds); err != nil {
						b.Fatal(err)
					}
					payload = ds[0].Size()
				}
			}
			usage := func(key string) float64 {
				n, _ := server.Do("memory", "usage", key, "samples", 0).(int64)
				return float64(n) / messages
			}
			b.ReportMetric(float64(payload), "B-payload/msg")
			b.ReportMetric(usage("chat:{p0}:log"), "B-log/msg")
			b.ReportMetric(usage("chat:{p0}:keys0"), "B/key")
			total, err := strconv.ParseFloat(server.Info("used_memory_dataset"), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(total/messages, "B-all/msg")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkLatency gives the time from an append's call to its return, and to
// the message's arrival at another process, one at a time, against the bare
// append-and-tail of the same connections.
func BenchmarkLatency(b *testing.B) {
	server := redistest.Start(b)
	opt := redisstore.Options{URL: server.URL()}
	s, pod := open(b, opt), open(b, opt)
	ctx := context.Background()
	at := chat.Pos{}
	var acked, seen time.Duration
	n := 0
	for b.Loop() {
		n++
		got := make(chan time.Time)
		go func() {
			for {
				batch, err := pod.Read(ctx, 0, at, 10, time.Minute)
				if err != nil || batch.Through != at {
					if err == nil {
						at = batch.Through
					}
					got <- time.Now()
					return
				}
			}
		}()
		start := time.Now()
		if _, err := s.Append(ctx, 0, benchEvents(1, n, 1, 1)); err != nil {
			b.Fatal(err)
		}
		acked += time.Since(start)
		seen += (<-got).Sub(start)
	}

	c, t := server.Client(), server.Client()
	defer c.Close()
	defer t.Close()
	record := benchEvents(0, 0, 1, 1)[0].AppendRecord(nil)
	var raw time.Duration
	id := "0"
	for range n {
		got := make(chan time.Time)
		go func() {
			r, err := t.XRead(ctx, &redis.XReadArgs{Streams: []string{"raw", id}, Block: time.Minute}).Result()
			if err == nil {
				id = r[0].Messages[0].ID
			}
			got <- time.Now()
		}()
		start := time.Now()
		if err := c.XAdd(ctx, &redis.XAddArgs{Stream: "raw", Values: []any{"topic 0", record}}).Err(); err != nil {
			b.Fatal(err)
		}
		raw += (<-got).Sub(start)
	}
	b.ReportMetric(float64(acked.Microseconds())/float64(n), "µs-to-ack")
	b.ReportMetric(float64(seen.Microseconds())/float64(n), "µs-to-tail")
	b.ReportMetric(float64(seen)/float64(raw), "×raw")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReplicated gives what an append costs that two replicas confirm: the
// master's time (network and disk included), and the time to the answer.
func BenchmarkReplicated(b *testing.B) {
	for _, size := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			master := redistest.Start(b)
			for range 2 {
				redistest.StartReplica(b, master)
			}
			s := open(b, redisstore.Options{URL: master.URL(), MinReplicas: 1})
			before, n := cpu(b, master), 0
			for b.Loop() {
				n++
				if _, err := s.Append(context.Background(), 0, benchEvents(1, n, size, 1)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b, master)-before).Microseconds())/float64(n), "redis-µs/append")
		})
	}
}
