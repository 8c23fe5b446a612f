package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// TestPostsGoOnUnderReaders fills Redis with topics, and posts with and without
// 50 people who ask for the list of them and for history five times a second
// each, in one run. The figure for docs/reliability.md is of 100,000 topics; a
// machine that does much else at the time makes it vary, so the bound is wide.
func TestPostsGoOnUnderReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	const (
		topics  = 100_000
		readers = 50
		each    = 200 * time.Millisecond
		posters = 32
		slice   = 250 * time.Millisecond
	)
	redis := redistest.Start(t)
	store, err := redisstore.Open(redisstore.Options{URL: redis.URL(), Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for i := 0; i < topics; i += chat.MaxBatch {
		var events []chat.Event
		for j := i; j < min(topics, i+chat.MaxBatch); j++ {
			events = append(events, chat.NewEvent(chat.Draft{
				Key: fmt.Sprint("fill", j), Topic: fmt.Sprintf("topic number %d", j), Name: "Ann", Email: "ann@example.org", Content: "x",
			}))
		}
		if _, err := store.Append(t.Context(), 0, events); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.Client()
	defer client.Close()
	p := startPod(t, podOptions{store: store})

	var posted, asked, failed atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	for i := range posters {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				d := chat.Draft{Key: fmt.Sprint("k", i, "-", n), Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: "x"}
				if _, _, err := p.service.Post(ctx, chat.Guest, d); err == nil {
					posted.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	var reading atomic.Bool
	for i := range readers {
		working.Go(func() {
			path := []string{"/api/v1/topics", "/api/v1/messages?limit=50", "/api/v1/messages?topic=topic%20number%207"}[i%3]
			for tick := time.NewTicker(each); ; {
				select {
				case <-tick.C:
				case <-ctx.Done():
					tick.Stop()
					return
				}
				if !reading.Load() {
					continue
				}
				resp, err := http.Get(p.url + path)
				if err != nil {
					failed.Add(1)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				asked.Add(1)
				if resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	var alone, among int64
	for range 16 { // in turn, so that what else the machine does is in both
		for _, with := range []bool{false, true} {
			reading.Store(with)
			before := posted.Load()
			time.Sleep(slice) // what is counted is the work of this time
			if n := posted.Load() - before; with {
				among += n
			} else {
				alone += n
			}
		}
	}
	stop()
	working.Wait()
	info, err := client.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	scans := 0
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_hscan:calls="); ok {
			_, _ = fmt.Sscanf(rest, "%d", &scans)
		}
	}
	t.Logf("%d topics: %d posts alone, %d among %d reads (%.0f %%); %d slices of the list of topics",
		topics, alone, among, asked.Load(), 100*float64(among)/float64(alone), scans)
	// On a machine that is busy with other things a read may pass its deadline
	// and be answered unavailable; most are answered.
	if failed.Load() > asked.Load()/4 || asked.Load() < 100 {
		t.Errorf("%d calls failed, %d were answered", failed.Load(), asked.Load())
	}
	if among < alone/2 {
		t.Errorf("%d posts among readers, %d alone", among, alone)
	}
	if most := 10 * (topics/500 + 2); scans > most { // one look a second at the most, in 8 s
		t.Errorf("%d slices of the list of topics; want at most %d, however many ask", scans, most)
	}
}
