package feed

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gatherer is a subscriber that keeps what it gets.
type gatherer struct {
	frames []*wire.Frame
	lost   bool
}

func (g *gatherer) Deliver(f *wire.Frame) { g.frames = append(g.frames, f) }
func (g *gatherer) Answer(f *wire.Frame)  { g.frames = append(g.frames, f) }
func (g *gatherer) Whisper(f *wire.Frame) { g.frames = append(g.frames, f) }
func (g *gatherer) Lost()                 { g.lost = true }

func newHub(partitions int) *Hub {
	return NewHub(partitions, NewMetrics(prometheus.NewRegistry()))
}

func about(topics ...string) Interest { return Interest{Topics: chat.TopicSet{Names: topics}} }

var aboutAll = Interest{Topics: chat.AllTopics}

func logged(part, n int, topic string) chat.Message {
	return chat.Message{
		ID:    chat.ID{Pos: chat.Pos{Ms: uint64(n)}, Part: uint8(part)},
		Draft: chat.Draft{Key: fmt.Sprint("k", part, "-", n), Topic: topic, Name: "Ann", Email: "ann@example.org", Content: fmt.Sprint(n)},
	}
}

// batch is what a tail reads of one partition.
func batch(messages ...chat.Message) chat.Batch {
	var b chat.Batch
	for _, m := range messages {
		b.Events = append(b.Events, chat.Event{ID: m.ID, Kind: chat.KindMessage, Draft: m.Draft})
		b.Through = m.ID.Pos
	}
	return b
}

// TestAttachQueuesWhatCameBetween publishes between a session's look at the
// window and its attaching.
func TestAttachQueuesWhatCameBetween(t *testing.T) {
	h := newHub(2)
	h.Reset(7, []chat.Batch{batch(logged(0, 1, "tea")), batch(logged(1, 2, "cake"))}, Standing{})
	before := h.Snapshot()
	h.Publish(0, batch(logged(0, 3, "tea"), logged(0, 4, "jam")))
	h.Publish(1, batch(logged(1, 5, "cake")))
	for _, c := range []struct {
		interest Interest
		want     int // frames: what came between, then what came after
	}{
		{aboutAll, 2}, {about("jam"), 1}, {about("tea"), 2}, {about(), 0},
	} {
		var g gatherer
		if _, ok := h.Attach(&g, c.interest, 8, before.Head, 0); ok {
			t.Error("attached to another log")
		}
		s, ok := h.Attach(&g, c.interest, 7, before.Head, 0)
		if !ok {
			t.Fatal("not attached")
		}
		h.Publish(0, batch(logged(0, 6, "tea")))
		if len(g.frames) != c.want {
			t.Errorf("%v: %d frames; want %d", c.interest, len(g.frames), c.want)
		}
		h.Detach(s)
		h.Publish(0, batch(logged(0, 7, "tea")))
		if len(g.frames) != c.want {
			t.Errorf("%v: a frame after detach", c.interest)
		}
		h.Detach(s) // again: nothing happens
	}
	if len(h.groups[""].public) != 0 || len(h.groups[""].others) != 0 || len(h.groups[""].audiences) != 0 {
		t.Errorf("after all have left, the hub keeps %d, %d and %d", len(h.groups[""].public), len(h.groups[""].others), len(h.groups[""].audiences))
	}
}

func TestAttachRefusesWhatTheWindowLacks(t *testing.T) {
	h := newHub(1)
	h.Reset(7, []chat.Batch{{After: chat.Pos{Ms: 10}, Through: chat.Pos{Ms: 10}}}, Standing{})
	for n := 11; n <= 11+MaxAttach; n++ {
		h.Publish(0, batch(logged(0, n, "tea")))
	}
	attach := func(ms uint64) bool {
		_, ok := h.Attach(&gatherer{}, aboutAll, 7, []chat.Pos{{Ms: ms}}, 0)
		return ok
	}
	if attach(9) {
		t.Error("attached at a position before the window")
	}
	if attach(10) {
		t.Errorf("attached with %d messages to queue; want at most %d", MaxAttach+1, MaxAttach)
	}
	if !attach(11) {
		t.Errorf("not attached with %d messages to queue", MaxAttach)
	}
}

func TestWindowIsBounded(t *testing.T) {
	var w window
	w.reset(make([]chat.Pos, 2), make([]chat.Pos, 2), nil)
	for n := 1; n <= windowItems+100; n++ {
		w.add(n%2, Encode([]chat.Message{logged(n%2, n, "tea")}), chat.Pos{Ms: uint64(n)})
	}
	if len(w.items) != windowItems {
		t.Errorf("%d items; want %d", len(w.items), windowItems)
	}
	if covers(w.start, []chat.Pos{{}, {}}) || !covers(w.start, []chat.Pos{{Ms: 100}, {Ms: 99}}) || covers(w.start, []chat.Pos{{Ms: 98}, {Ms: 99}}) {
		t.Errorf("the window says it starts at %v; want 100 and 99", w.start)
	}
	big := logged(0, windowItems+200, "tea")
	big.Content = strings.Repeat("x", windowBytes/4)
	for range 10 {
		big.ID = chat.ID{Pos: big.ID.Pos.Next()}
		w.add(0, Encode([]chat.Message{big}), big.ID.Pos)
	}
	if w.bytes > windowBytes || len(w.items) == 0 {
		t.Errorf("%d bytes in %d items; want at most %d", w.bytes, len(w.items), windowBytes)
	}
}

// TestTheSameViewSharesAFrame: subscribers that get the same of a batch get
// one frame, whatever else they have asked for, and each gets all that it has
// asked for, in order.
func TestTheSameViewSharesAFrame(t *testing.T) {
	h := newHub(1)
	h.Reset(1, []chat.Batch{{}}, Standing{})
	interests := []Interest{
		aboutAll, aboutAll,
		about("tea"), about("nothing", "tea"),
		about("jam", "tea"), about("cake", "jam", "tea"), about("jam", "more", "tea"),
		about("jam"), about("none"), about(),
	}
	want := []string{"1 2 3 4", "1 2 3 4", "1 3", "1 3", "1 2 3", "1 2 3", "1 2 3", "2", "", ""}
	got := make([]gatherer, len(interests))
	for i, interest := range interests {
		if _, ok := h.Attach(&got[i], interest, 1, make([]chat.Pos, 1), 0); !ok {
			t.Fatal("not attached")
		}
	}
	h.Publish(0, batch(logged(0, 1, "tea"), logged(0, 2, "jam"), logged(0, 3, "tea"), logged(0, 4, "other")))
	frames := map[string]*wire.Frame{}
	for i := range got {
		if want[i] == "" {
			if len(got[i].frames) > 0 {
				t.Errorf("%v got a frame", interests[i])
			}
			continue
		}
		if len(got[i].frames) != 1 {
			t.Errorf("%v got %d frames; want 1", interests[i], len(got[i].frames))
			continue
		}
		f := got[i].frames[0]
		var read struct{ Messages []struct{ Content string } }
		if err := json.Unmarshal(f.Text, &read, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		var contents []string
		for _, m := range read.Messages {
			contents = append(contents, m.Content)
		}
		if text := strings.Join(contents, " "); text != want[i] {
			t.Errorf("%v got %q; want %q", interests[i], text, want[i])
		}
		if frames[want[i]] == nil {
			frames[want[i]] = f
		}
		if frames[want[i]] != f {
			t.Errorf("%v got a frame of its own for %q", interests[i], want[i])
		}
	}
}

// TestResetEndsSubscriptions: whoever is subscribed is told, and gets nothing
// more.
func TestResetEndsSubscriptions(t *testing.T) {
	h := newHub(1)
	h.Reset(1, []chat.Batch{{}}, Standing{})
	var all, one, none gatherer
	var subscriptions []*Subscription
	for g, interest := range map[*gatherer]Interest{&all: aboutAll, &one: about("tea"), &none: about()} {
		s, ok := h.Attach(g, interest, 1, make([]chat.Pos, 1), 0)
		if !ok {
			t.Fatal("not attached")
		}
		subscriptions = append(subscriptions, s)
	}
	h.Reset(2, []chat.Batch{{}}, Standing{})
	h.Publish(0, batch(logged(0, 1, "tea")))
	for _, g := range []gatherer{all, one, none} {
		if !g.lost || len(g.frames) > 0 {
			t.Errorf("after a reset: lost %v, %d frames; want lost, none", g.lost, len(g.frames))
		}
	}
	for _, s := range subscriptions {
		h.Detach(s)
	}
}

// TestWindowKeepsNoMoreThanItsMessages: a tail may read into a slice with room
// for many events; what is kept of it is the events that were there.
func TestWindowKeepsNoMoreThanItsMessages(t *testing.T) {
	h := newHub(1)
	h.Reset(1, []chat.Batch{{}}, Standing{})
	for n := 1; n <= 1000; n++ {
		b := batch(logged(0, n, "tea"))
		b.Events = append(make([]chat.Event, 0, 512), b.Events...) // some 75 KiB
		h.Publish(0, b)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 20<<20 {
		t.Errorf("a window of 1,000 short messages keeps %d MiB", m.HeapAlloc>>20)
	}
	runtime.KeepAlive(h)
}

// TestLastOverPartitions: the latest are those with the greatest ids, whichever
// partition they are of and in whatever order they came.
func TestLastOverPartitions(t *testing.T) {
	h := newHub(2)
	h.Reset(7, []chat.Batch{{}, {}}, Standing{})
	h.Publish(1, batch(logged(1, 105, "a")))
	h.Publish(0, batch(logged(0, 100, "b"), logged(0, 101, "b"), logged(0, 102, "b")))
	got := func(interest Interest, n int) (ids []uint64) {
		for _, it := range h.Snapshot().Last(interest, chat.Pos{}, n) {
			ids = append(ids, it.ID.Pos.Ms)
		}
		return ids
	}
	if ids := got(aboutAll, 2); !slices.Equal(ids, []uint64{102, 105}) {
		t.Errorf("the last two are %v; want 102 and 105", ids)
	}
	if ids := got(aboutAll, 10); !slices.Equal(ids, []uint64{100, 101, 102, 105}) {
		t.Errorf("all are %v", ids)
	}
	if ids := got(about("b"), 2); !slices.Equal(ids, []uint64{101, 102}) {
		t.Errorf("the last two of b are %v", ids)
	}
	for upTo, want := range map[uint64]uint64{104: 102, 105: 105, 99: 0} {
		last, found := h.Snapshot().LastUpTo(aboutAll, []chat.Pos{{Ms: upTo}, {Ms: upTo}})
		if last.Pos.Ms != want || found != (want > 0) {
			t.Errorf("up to %d the last is %d, %v; want %d", upTo, last.Pos.Ms, found, want)
		}
	}
}
