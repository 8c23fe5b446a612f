package live

import (
	"sync"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// hub joins the feed to the sessions: the window of recent messages, and who
// wants which topic. Everything happens under one mutex, so that a session
// attached at a position gets each later message exactly once; nothing under
// it waits for a socket, for the log, or for another lock but an outbox's.
type hub struct {
	metrics *Metrics

	mu        sync.Mutex
	epoch     uint64
	window    window
	all       map[*session]struct{}            // want every public topic
	topics    map[string]map[*session]struct{} // want these
	refreshed string                           // the cursor that refreshCursors gave last
	moved     chan struct{}                    // closed, and replaced, when the head moves or the log is another
}

func newHub(partitions int, metrics *Metrics) *hub {
	h := &hub{
		metrics: metrics,
		all:     map[*session]struct{}{},
		topics:  map[string]map[*session]struct{}{},
		moved:   make(chan struct{}),
	}
	h.window.reset(make([]chat.Pos, partitions))
	return h
}

func encode(messages []chat.Message) []item {
	items := make([]item, len(messages))
	for i, m := range messages {
		items[i] = item{id: m.ID, topic: m.Topic, json: wire.AppendMessage(make([]byte, 0, m.Size()+160), m)}
	}
	return items
}

// publish takes the next messages, of one partition, and hands them to everybody
// who wants them. Each message is encoded once; each distinct frame too.
func (h *hub) publish(messages []chat.Message) {
	items := encode(messages)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.add(items)
	h.signal()
	cursor := h.cursor().String()
	deliveries := 0
	if len(h.all) > 0 {
		f := newMessages(items, cursor)
		for s := range h.all {
			s.out.pushLive(f)
		}
		deliveries += len(items) * len(h.all)
	}
	deliveries += h.publishByTopic(items, cursor)
	h.metrics.deliveries.Add(float64(deliveries))
}

// pass notes that a partition holds nothing more, up to a position, than what
// was published: what is there is not for clients.
func (h *hub) pass(part int, through chat.Pos) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if through.Compare(h.window.head[part]) > 0 {
		h.window.head[part] = through
		h.signal()
	}
}

// publishByTopic serves the sessions that named their topics. One that wants
// several topics of the batch gets all of them in one frame: the cursor in it
// says that everything up to there was sent. Sessions that want the same of
// the batch share the frame.
func (h *hub) publishByTopic(items []item, cursor string) (deliveries int) {
	if len(h.topics) == 0 {
		return 0
	}
	var topics []string // of the batch, that somebody named
	byTopic := map[string][]item{}
	for _, it := range items {
		if h.topics[it.topic] == nil {
			continue
		}
		if byTopic[it.topic] == nil {
			topics = append(topics, it.topic)
		}
		byTopic[it.topic] = append(byTopic[it.topic], it)
	}
	several := map[*session]string{} // want more than one: the indexes in topics, as runes
	for i, topic := range topics {
		var f *frame
		for s := range h.topics[topic] {
			deliveries += len(byTopic[topic])
			if len(topics) > 1 && len(s.topics.Names) > 1 {
				several[s] += string(rune(i))
				continue
			}
			if f == nil {
				f = newMessages(byTopic[topic], cursor)
			}
			s.out.pushLive(f)
		}
	}
	shared := map[string]*frame{}
	for s, wants := range several {
		if shared[wants] == nil {
			var its []item
			for _, i := range wants {
				its = append(its, byTopic[topics[i]]...)
			}
			sortItems(its)
			shared[wants] = newMessages(its, cursor)
		}
		s.out.pushLive(shared[wants])
	}
	return deliveries
}

// attach makes s a subscriber from pos on: what the window has after pos is
// queued, and everything later will be. It refuses, and changes nothing, if
// the log is another by now, if the window does not reach back to pos, or if
// more than maxAttach messages would have to be queued at once.
func (h *hub) attach(s *session, epoch uint64, pos []chat.Pos) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if epoch != h.epoch || !h.window.covers(pos) {
		return false
	}
	missed := after(h.window.items, s.topics, pos)
	if len(missed) > maxAttach {
		return false
	}
	h.add(s)
	if len(missed) > 0 {
		s.out.push(newMessages(missed, h.cursor().String()))
	}
	return true
}

// maxAttach bounds what one attach may queue.
const maxAttach = 100

func (h *hub) add(s *session) {
	if s.topics.All {
		h.all[s] = struct{}{}
		return
	}
	for _, topic := range s.topics.Names {
		set := h.topics[topic]
		if set == nil {
			set = map[*session]struct{}{}
			h.topics[topic] = set
		}
		set[s] = struct{}{}
	}
}

// detach ends the deliveries to s. It may be called for one not attached.
func (h *hub) detach(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, s)
	for _, topic := range s.topics.Names {
		delete(h.topics[topic], s)
		if len(h.topics[topic]) == 0 {
			delete(h.topics, topic)
		}
	}
}

// refreshCursors gives every attached session the head's cursor, in order
// with its messages, if the head has moved since the last time.
func (h *hub) refreshCursors(online int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	cursor := h.cursor().String()
	if cursor == h.refreshed {
		return
	}
	h.refreshed = cursor
	f := &frame{text: wire.AppendPresence(nil, online, cursor)}
	seen := map[*session]struct{}{}
	for s := range h.all {
		s.out.push(f)
	}
	for _, set := range h.topics {
		for s := range set {
			if _, done := seen[s]; !done {
				seen[s] = struct{}{}
				s.out.push(f)
			}
		}
	}
}

// view is the hub at one moment. Its slices may be read without the mutex.
type view struct {
	epoch uint64
	items []item
	start []chat.Pos
	head  []chat.Pos
	moved <-chan struct{} // closed when the head has moved since, or the log is another
}

func (h *hub) view() view {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.window.items)
	return view{
		epoch: h.epoch,
		items: h.window.items[:n:n],
		start: append([]chat.Pos(nil), h.window.start...),
		head:  append([]chat.Pos(nil), h.window.head...),
		moved: h.moved,
	}
}

// reset begins anew with another log, or the first: messages are the latest
// of all partitions, complete after start.
func (h *hub) reset(epoch uint64, start []chat.Pos, messages []chat.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch = epoch
	h.window.reset(start)
	items := encode(messages)
	sortItems(items)
	h.window.add(items)
	h.signal()
}

func (h *hub) signal() {
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *hub) cursor() chat.Cursor { return chat.Cursor{Epoch: h.epoch, Pos: h.window.head} }
