package feed

import (
	"sync"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// Hub joins the feed to the subscribers: the window of recent messages, and
// who wants which topic. Everything happens under one mutex, so that a
// subscriber attached at a position gets each later message exactly once;
// nothing under it waits for a socket, for the log, or for another lock but a
// subscriber's own. It is safe for use by many goroutines.
type Hub struct {
	metrics *Metrics

	mu        sync.Mutex
	epoch     uint64
	window    window
	numbers   numbers
	groups    map[string]*group // by the key of their filter; "" has none
	refreshed string            // the cursor that Refresh gave last
	changed   chan struct{}     // closed, and replaced, when the head moves or the log is another
	due       chan struct{}     // capacity 1: there are numbers to be told
}

// NewHub makes a hub without subscribers, of an empty log.
func NewHub(partitions int, metrics *Metrics) *Hub {
	h := &Hub{
		metrics: metrics, groups: map[string]*group{"": newGroup(nil)},
		changed: make(chan struct{}), due: make(chan struct{}, 1),
	}
	none := make([]chat.Pos, partitions)
	h.numbers.reset(partitions, Standing{})
	h.window.reset(none, none, nil)
	return h
}

// Publish takes the next events of one partition and hands them to everybody
// who wants them. Each message is encoded once; each different frame, too.
func (h *Hub) Publish(part int, batch chat.Batch) {
	items := encodeEvents(batch.Events)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.add(part, items, batch.Through)
	h.signal()
	if len(items) > 0 {
		h.metrics.deliveries.Add(float64(h.deliver(h.fresh(items))))
	}
}

// Attach makes a subscriber of what comes after pos: what the window has of it
// is answered at once, and everything later is delivered; likewise what the hub
// has learned of numbers after seen (Fresh). It refuses, and changes nothing,
// if the log is another by now, if the window does not reach back to pos, or if
// more than MaxAttach messages, MaxAttachBytes of JSON or MaxUpdates updates would
// have to be answered.
func (h *Hub) Attach(to Subscriber, interest Interest, epoch uint64, pos []chat.Pos, seen uint64) (*Subscription, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != h.epoch || !covers(h.window.start, pos) {
		return nil, false
	}
	missed := filtered(h.fresh(after(h.window.items, interest.unfiltered(), pos)), interest)
	size := 0
	for _, it := range missed {
		size += it.TextSize()
	}
	if len(missed) > MaxAttach || size > MaxAttachBytes {
		return nil, false
	}
	updates, ok := h.numbers.learnedAfter(seen, interest, pos, MaxUpdates)
	if !ok {
		return nil, false
	}
	s := &Subscription{to: to, interest: interest, named: interest.named()}
	h.add(s)
	if len(missed) > 0 {
		to.Answer(Frame(missed, h.cursor()))
	}
	if len(updates) > 0 {
		to.Answer(Updates(updates))
	}
	return s, true
}

// What one Attach may answer.
const (
	MaxAttach      = 100
	MaxAttachBytes = 256 << 10
)

func (h *Hub) add(s *Subscription) {
	key := ""
	if s.interest.Filter != nil {
		key = s.interest.Filter.Key()
	}
	g := h.groups[key]
	if g == nil {
		g = newGroup(s.interest.Filter)
		h.groups[key] = g
	}
	s.group = g
	list := s.list()
	s.at = len(*list)
	*list = append(*list, s)
	s.name()
}

// Renew tells the hub that the sight of a subscription has grown, or that its
// rooms have other names. names gives those; the hub calls it, under its mutex,
// if the subscription has a filter. If the sight has shrunk, nothing need be
// said: the hub asks it at each delivery. The subscription may have ended, and
// may be nil.
func (h *Hub) Renew(s *Subscription, names func() map[string]string) {
	if s == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if list := *s.list(); s.at >= len(list) || list[s.at] != s {
		return // it has ended
	}
	named := s.interest.named() // under the mutex: of two calls the later one knows more
	if old := s.interest.Filter; old != nil {
		if again := old.Rebind(names()); again.Key() != old.Key() {
			h.remove(s)
			s.interest.Filter, s.named = again, named
			h.add(s)
			return
		}
	}
	s.unname()
	s.named = named
	s.name()
}

// Detach ends the deliveries of a subscription. It may have ended already, and
// may be nil.
func (h *Hub) Detach(s *Subscription) {
	if s == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if list := *s.list(); s.at < len(list) && list[s.at] == s { // else Lost
		h.remove(s)
	}
}

// remove takes out a subscription that has not ended.
func (h *Hub) remove(s *Subscription) {
	list, g := s.list(), s.group
	last := len(*list) - 1
	(*list)[s.at] = (*list)[last]
	(*list)[s.at].at = s.at
	(*list)[last] = nil
	*list = (*list)[:last]
	s.unname()
	if g.filter != nil && len(g.public) == 0 && len(g.others) == 0 {
		delete(h.groups, g.filter.Key())
	}
}

// Refresh answers every subscriber with the head's cursor, in order with its
// messages, if the head has moved since the last time. frame makes the frame.
func (h *Hub) Refresh(frame func(cursor string) *wire.Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cursor := h.cursor()
	if cursor == h.refreshed {
		return
	}
	h.refreshed = cursor
	f := frame(cursor)
	for _, g := range h.groups {
		for _, list := range [][]*Subscription{g.public, g.others} {
			for _, s := range list {
				s.to.Answer(f)
			}
		}
	}
}

// Reset begins again, when the log is another, or when this server has missed a
// part of it. recent has the end of each partition, standing its numbers. All
// subscriptions end.
func (h *Hub) Reset(epoch uint64, recent []chat.Batch, standing Standing) {
	var (
		start, head = make([]chat.Pos, len(recent)), make([]chat.Pos, len(recent))
		items       []Item
	)
	for part, batch := range recent {
		start[part], head[part] = batch.After, batch.Through
		items = append(items, encodeEvents(batch.Events)...)
	}
	Sort(items)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.groups {
		for _, list := range [][]*Subscription{g.public, g.others} {
			for _, s := range list {
				s.to.Lost()
			}
		}
		g.public, g.others = nil, nil
	}
	h.groups = map[string]*group{"": newGroup(nil)}
	h.epoch = epoch
	h.numbers.reset(len(recent), standing)
	h.window.reset(start, head, items)
	h.signal()
}

func (h *Hub) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Hub) cursor() string { return chat.Cursor{Epoch: h.epoch, Pos: h.window.head}.String() }
