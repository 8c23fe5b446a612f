package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/internal/chat"
)

// idleSession is a session whose outbox gathers and is never written.
func idleSession(topics chat.TopicSet, metrics *Metrics) *session {
	return &session{topics: topics, out: outbox{limit: 1 << 30, metrics: metrics, flushing: true}}
}

func logged(part, n int, topic string) chat.Message {
	return chat.Message{
		ID:    chat.ID{Pos: chat.Pos{Ms: uint64(n)}, Part: uint8(part)},
		Draft: chat.Draft{Key: fmt.Sprint("k", part, "-", n), Topic: topic, Name: "Ann", Email: "ann@example.org", Content: fmt.Sprint(n)},
	}
}

// TestAttachQueuesWhatCameBetween publishes between a session's look at the
// window and its attaching.
func TestAttachQueuesWhatCameBetween(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	h := newHub(2, m)
	h.reset(7, make([]chat.Pos, 2), []chat.Message{logged(0, 1, "tea"), logged(1, 2, "cake")})
	v := h.view()
	h.publish([]chat.Message{logged(0, 3, "tea"), logged(0, 4, "jam")})
	h.publish([]chat.Message{logged(1, 5, "cake")})
	for _, c := range []struct {
		topics chat.TopicSet
		want   int // frames: what came between, then what came after
	}{
		{chat.AllTopics, 2}, {chat.TopicSet{Names: []string{"jam"}}, 1}, {chat.TopicSet{Names: []string{"tea"}}, 2}, {chat.TopicSet{}, 0},
	} {
		s := idleSession(c.topics, m)
		if h.attach(s, 8, v.head) {
			t.Error("attached to another log")
		}
		if !h.attach(s, 7, v.head) {
			t.Fatal("not attached")
		}
		h.publish([]chat.Message{logged(0, 6, "tea")})
		if len(s.out.frames) != c.want {
			t.Errorf("%v: %d frames; want %d", c.topics, len(s.out.frames), c.want)
		}
		h.detach(s)
		h.publish([]chat.Message{logged(0, 7, "tea")})
		if len(s.out.frames) != c.want {
			t.Errorf("%v: a frame after detach", c.topics)
		}
	}
	if len(h.all) != 0 || len(h.topics) != 0 {
		t.Errorf("after all have left, the hub keeps %d and %d", len(h.all), len(h.topics))
	}
}

func TestAttachRefusesWhatTheWindowLacks(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	h := newHub(1, m)
	h.reset(7, []chat.Pos{{Ms: 10}}, nil)
	for n := 11; n <= 11+maxAttach; n++ {
		h.publish([]chat.Message{logged(0, n, "tea")})
	}
	s := idleSession(chat.AllTopics, m)
	if h.attach(s, 7, []chat.Pos{{Ms: 9}}) {
		t.Error("attached at a position before the window")
	}
	if h.attach(s, 7, []chat.Pos{{Ms: 10}}) {
		t.Errorf("attached with %d messages to queue; want at most %d", maxAttach+1, maxAttach)
	}
	if !h.attach(s, 7, []chat.Pos{{Ms: 11}}) {
		t.Errorf("not attached with %d messages to queue", maxAttach)
	}
}

func TestWindowIsBounded(t *testing.T) {
	var w window
	w.reset(make([]chat.Pos, 2))
	for n := 1; n <= windowItems+100; n++ {
		w.add(encode([]chat.Message{logged(n%2, n, "tea")}))
	}
	if len(w.items) != windowItems {
		t.Errorf("%d items; want %d", len(w.items), windowItems)
	}
	if w.covers([]chat.Pos{{}, {}}) || !w.covers([]chat.Pos{{Ms: 100}, {Ms: 99}}) || w.covers([]chat.Pos{{Ms: 98}, {Ms: 99}}) {
		t.Errorf("the window says it starts at %v; want 100 and 99", w.start)
	}
	big := logged(0, windowItems+200, "tea")
	big.Content = strings.Repeat("x", windowBytes/4)
	for range 10 {
		big.ID = chat.ID{Pos: big.ID.Pos.Next()}
		w.add(encode([]chat.Message{big}))
	}
	if w.bytes > windowBytes || len(w.items) == 0 {
		t.Errorf("%d bytes in %d items; want at most %d", w.bytes, len(w.items), windowBytes)
	}
}
