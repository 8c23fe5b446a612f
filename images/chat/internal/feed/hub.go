package feed

import (
	"slices"
	"sync"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// Subscriber takes what the hub hands out. The hub calls it under its mutex:
// no method may wait, or call the hub.
type Subscriber interface {
	// Deliver takes messages as they come from the log. A subscriber for which
	// too much waits ends itself.
	Deliver(*wire.Frame)
	// Answer takes what the subscriber has asked for.
	Answer(*wire.Frame)
	// Lost says that the subscription has ended, since the log is another or
	// has gone on without this server: the subscriber has to resume.
	Lost()
}

// Subscription is a subscriber's place in the hub.
type Subscription struct {
	to       Subscriber
	interest Interest
	named    []string // interest.named()
	at       int      // index in the hub's list

	// What the batch that is being delivered has for it.
	batch uint64
	view  *view
}

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
	public    []*Subscription // want every public topic
	others    []*Subscription // all others
	byTopic   map[string]map[*Subscription]struct{}
	refreshed string        // the cursor that Refresh gave last
	changed   chan struct{} // closed, and replaced, when the head moves or the log is another

	// Of deliver, for the batch that is being delivered.
	batch       uint64          // counts the batches delivered
	touched     []*Subscription // have a view of their own
	noItems     view            // where the views of h.others begin
	publicItems view            // where the views of h.public begin
}

// NewHub makes a hub without subscribers, of an empty log.
func NewHub(partitions int, metrics *Metrics) *Hub {
	h := &Hub{metrics: metrics, byTopic: map[string]map[*Subscription]struct{}{}, changed: make(chan struct{})}
	none := make([]chat.Pos, partitions)
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
		h.metrics.deliveries.Add(float64(h.deliver(items)))
	}
}

// Attach makes a subscriber of what comes after pos: what the window has of it
// is answered at once, and everything later is delivered. It refuses, and
// changes nothing, if the log is another by now, if the window does not reach
// back to pos, or if more than MaxAttach messages or MaxAttachBytes of JSON
// would have to be answered.
func (h *Hub) Attach(to Subscriber, interest Interest, epoch uint64, pos []chat.Pos) (*Subscription, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != h.epoch || !covers(h.window.start, pos) {
		return nil, false
	}
	missed := after(h.window.items, interest, pos)
	size := 0
	for _, it := range missed {
		size += len(it.JSON)
	}
	if len(missed) > MaxAttach || size > MaxAttachBytes {
		return nil, false
	}
	s := &Subscription{to: to, interest: interest, named: interest.named()}
	h.add(s)
	if len(missed) > 0 {
		to.Answer(Frame(missed, h.cursor()))
	}
	return s, true
}

// What one Attach may answer.
const (
	MaxAttach      = 100
	MaxAttachBytes = 256 << 10
)

// list is where a subscription is kept.
func (h *Hub) list(s *Subscription) *[]*Subscription {
	if s.interest.Topics.All {
		return &h.public
	}
	return &h.others
}

func (h *Hub) add(s *Subscription) {
	list := h.list(s)
	s.at = len(*list)
	*list = append(*list, s)
	h.name(s)
}

// Renew takes in that the sight of a subscription has grown. A sight that has
// shrunk needs no word: it is asked at each delivery. The subscription may have
// ended, and may be nil.
func (h *Hub) Renew(s *Subscription) {
	if s == nil {
		return
	}
	named := s.interest.named()
	h.mu.Lock()
	defer h.mu.Unlock()
	if list := *h.list(s); s.at >= len(list) || list[s.at] != s {
		return // it has ended
	}
	h.unname(s)
	s.named = named
	h.name(s)
}

// name and unname keep byTopic.
func (h *Hub) name(s *Subscription) {
	for _, topic := range s.named {
		set := h.byTopic[topic]
		if set == nil {
			set = map[*Subscription]struct{}{}
			h.byTopic[topic] = set
		}
		set[s] = struct{}{}
	}
}

func (h *Hub) unname(s *Subscription) {
	for _, topic := range s.named {
		delete(h.byTopic[topic], s)
		if len(h.byTopic[topic]) == 0 {
			delete(h.byTopic, topic)
		}
	}
}

// Detach ends the deliveries of a subscription. It may have ended already, and
// may be nil.
func (h *Hub) Detach(s *Subscription) {
	if s == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list(s)
	if s.at >= len(*list) || (*list)[s.at] != s {
		return // Lost
	}
	last := len(*list) - 1
	(*list)[s.at] = (*list)[last]
	(*list)[s.at].at = s.at
	(*list)[last] = nil
	*list = (*list)[:last]
	h.unname(s)
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
	for _, list := range [][]*Subscription{h.public, h.others} {
		for _, s := range list {
			s.to.Answer(f)
		}
	}
}

// Snapshot gives the hub as it is now.
func (h *Hub) Snapshot() Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Snapshot{
		Epoch:   h.epoch,
		Start:   slices.Clone(h.window.start),
		Head:    slices.Clone(h.window.head),
		Changed: h.changed,
		items:   slices.Clip(h.window.items),
	}
}

// Reset begins anew, with another log or after a part that this server has
// missed: recent has the end of each partition. All subscriptions end.
func (h *Hub) Reset(epoch uint64, recent []chat.Batch) {
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
	for _, list := range [][]*Subscription{h.public, h.others} {
		for _, s := range list {
			s.to.Lost()
		}
	}
	h.public, h.others = nil, nil
	clear(h.byTopic)
	h.epoch = epoch
	h.window.reset(start, head, items)
	h.signal()
}

func (h *Hub) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Hub) cursor() string { return chat.Cursor{Epoch: h.epoch, Pos: h.window.head}.String() }
