package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/storetest"
)

// TestManyTopicsTakeLittleMemory fills Redis with 100,000 topics. 50 people
// page through the whole list as fast as they can, and read topics' histories
// between the pages. The pod stays within what the autoscaler reckons for one.
func TestManyTopicsTakeLittleMemory(t *testing.T) {
	const (
		topics  = 100_000
		readers = 50
		pages   = 20               // of each reader
		most    = int64(320) << 20 // chatapp.yaml, HorizontalPodAutoscaler
	)
	redis := redistest.Start(t)
	store, err := redisstore.Open(redisstore.Options{URL: redis.URL(), Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	storetest.FillTopics(t, store, topics)
	p := startPod(t, "--redis-url", redis.URL(), "--source-read-rate", "0")
	page := func(path string) (status int, next string) {
		resp, err := http.Get("http://" + p.addr + path)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		var answer struct{ Next string }
		_ = json.Unmarshal(text, &answer) // a problem has none
		return resp.StatusCode, answer.Next
	}
	until(t, "the first list is made", func() bool { status, _ := page("/api/v1/topics"); return status == http.StatusOK })
	var working sync.WaitGroup
	for i := range readers {
		working.Go(func() {
			after := ""
			for n := range pages {
				status, next := page("/api/v1/topics?limit=1000&after=" + url.QueryEscape(after))
				if status != http.StatusOK {
					t.Errorf("page %d of reader %d: %d", n, i, status)
					return
				}
				after = next
				if status, _ := page(fmt.Sprintf("/api/v1/messages?topic=topic%%20number%%20%d", i*n)); status != http.StatusOK {
					t.Errorf("history of reader %d: %d", i, status)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	peak := p.memory()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(50 * time.Millisecond):
			peak = max(peak, p.memory())
		}
	}
	t.Logf("%d MiB at most", peak>>20)
	if raceFlag == nil && peak > most { // the race detector takes a multiple
		t.Errorf("the pod took %d MiB; want at most %d", peak>>20, most>>20)
	}
}
