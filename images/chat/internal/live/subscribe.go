package live

import (
	"context"
	"slices"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// catchUp is a session on its way to being live: everything up to pos has
// been sent to it (or is before what it asked for), in a log of this epoch.
type catchUp struct {
	epoch uint64
	pos   []chat.Pos
	send  func(items []item, cursor string) // the first call makes the welcome
}

const (
	// pageMessages is how many messages of the log one step of catching up reads.
	pageMessages = 256
	// outage is how long hello waits for a log that cannot be reached, when
	// what this pod remembers does not suffice to answer it.
	outage = 30 * time.Second
)

// subscribe answers hello and subscribe with a welcome, then makes the session
// live. Catching up and going live meet without gap or repeat: pages are read
// from the window, or from the log, until the hub attaches the session at
// exactly the position it has reached.
func (s *session) subscribe(ctx context.Context, topics chat.TopicSet, cursor string, limit int) error {
	s.topics = topics
	v, floor, err := s.sync(ctx, cursor)
	if err != nil {
		s.live.logger.Warn("a client could not be welcomed", "error", err)
		s.end(wire.CloseGoingAway)
		return errEnded
	}
	var c catchUp
	if from, ok := honour(cursor, v, floor); ok {
		c = s.resume(ctx, v, from)
	} else if c, err = s.latest(ctx, v, limit); err != nil {
		s.live.logger.Warn("a client could not be welcomed", "error", err)
		s.end(wire.CloseGoingAway)
		return errEnded
	}
	if !s.goLive(ctx, &c) {
		s.end(wire.CloseGoingAway)
		return errEnded
	}
	s.live.welcome(s)
	return nil
}

// sync brings the hub up to date with the log. Without the log, what the hub
// has must do, if the client has not seen more than that; else it waits.
func (s *session) sync(ctx context.Context, cursor string) (view, []chat.Pos, error) {
	ctx, cancel := context.WithTimeout(ctx, outage)
	defer cancel()
	for {
		v, floor, err := s.live.feed.sync(ctx)
		if err == nil {
			return v, floor, nil
		}
		if _, ready := s.live.feed.answered(); ready {
			v := s.live.hub.view()
			if c, bad := chat.ParseCursor(cursor); cursor == "" || bad == nil && c.Epoch == v.epoch && within(c.Pos, v.start, v.head) {
				return v, v.start, nil
			}
		}
		if !pause(ctx, retryWait) {
			return view{}, nil, err
		}
	}
}

// within reports whether every low ≤ pos ≤ high.
func within(pos, low, high []chat.Pos) bool {
	if len(pos) != len(low) {
		return false
	}
	for part, p := range pos {
		if p.Compare(low[part]) < 0 || p.Compare(high[part]) > 0 {
			return false
		}
	}
	return true
}

// honour gives the position of a cursor if everything after it is there still:
// of this log, not before its floor, and not after its end (a log that lost
// its tail).
func honour(text string, v view, floor []chat.Pos) ([]chat.Pos, bool) {
	c, err := chat.ParseCursor(text)
	if err != nil || c.Epoch != v.epoch || !within(c.Pos, floor, v.head) {
		return nil, false
	}
	return c.Pos, true
}

// resume prepares a welcome that goes on where the client was.
func (s *session) resume(ctx context.Context, v view, from []chat.Pos) catchUp {
	more := anyUpTo(v.items, s.topics, from)
	if !more && !isZero(from) {
		older, err := s.live.service.HistoryBefore(ctx, s.principal, s.topics, nextOf(from), 1)
		more = err != nil || len(older.Messages) > 0 // not known: the page may ask
	}
	return catchUp{epoch: v.epoch, pos: from, send: s.welcome(true, more)}
}

// latest prepares and sends a welcome with the last messages, from the window
// as far as that is complete, else from the log.
func (s *session) latest(ctx context.Context, v view, limit int) (catchUp, error) {
	low := slices.MaxFunc(v.start, chat.Pos.Compare) // after it, the window has every partition's messages
	bounds := slices.Repeat([]chat.Pos{low}, len(v.start))
	found := latest(after(v.items, s.topics, bounds), s.topics, limit+1)
	older := false
	if missing := limit + 1 - len(found); missing > 0 && !low.IsZero() {
		page, err := s.live.service.HistoryBefore(ctx, s.principal, s.topics, nextOf(bounds), missing)
		if err != nil && len(found) == 0 {
			return catchUp{}, err
		}
		older = err != nil // the log is away: the page may ask for them later
		found = append(encode(page.Messages), found...)
	}
	more := len(found) > limit || older
	found = found[max(0, len(found)-limit):]
	c := catchUp{epoch: v.epoch, pos: v.head, send: s.welcome(false, more)}
	c.send(found, c.cursor())
	return c, nil
}

// welcome makes the function that sends what the session catches up with: the
// first call is the welcome, the others are messages frames.
func (s *session) welcome(recovered, more bool) func([]item, string) {
	first := true
	return func(items []item, cursor string) {
		if first {
			first = false
			w := wire.Welcome{Server: s.live.Name, Cursor: cursor, Recovered: recovered, More: more}
			for _, it := range items {
				w.Messages = append(w.Messages, it.json)
			}
			s.out.push(&frame{text: wire.AppendWelcome(nil, w)})
		} else if len(items) > 0 {
			s.out.push(newMessages(items, cursor))
		}
	}
}

func (c *catchUp) cursor() string { return chat.Cursor{Epoch: c.epoch, Pos: c.pos}.String() }

// goLive sends everything after c.pos and attaches the session to the hub. It
// gives up (false) when the client or the log is gone, or when the log has
// removed what was still to be sent.
func (s *session) goLive(ctx context.Context, c *catchUp) bool {
	for {
		v := s.live.hub.view()
		if v.epoch != c.epoch {
			return false
		}
		var page []item
		if covers(v.start, c.pos) {
			page = after(v.items, s.topics, c.pos)
			if len(page) <= maxAttach {
				// What was there a moment ago; the hub adds what came since.
				c.send(page, chat.Cursor{Epoch: c.epoch, Pos: v.head}.String())
				c.pos = v.head
				if s.live.hub.attach(s, c.epoch, c.pos) {
					return true
				}
				continue
			}
			page = page[:min(len(page), pageMessages)]
			c.advance(page)
		} else if !s.readPage(ctx, c, v, &page) {
			return false
		}
		c.send(page, c.cursor())
		if !s.drained(ctx) {
			return false
		}
	}
}

// advance moves pos to the end of a page from the window. With several
// partitions the page is cut by arrival, so each partition has its own end.
func (c *catchUp) advance(page []item) {
	c.pos = slices.Clone(c.pos)
	for _, it := range page {
		c.pos[it.id.Part] = it.id.Pos
	}
}

// readPage reads on from the log in every partition in which the window does
// not reach back to c.pos.
func (s *session) readPage(ctx context.Context, c *catchUp, v view, page *[]item) bool {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	c.pos = slices.Clone(c.pos)
	for part := range c.pos {
		if c.pos[part].Compare(v.start[part]) >= 0 {
			continue
		}
		found, through, err := s.live.service.Since(ctx, s.principal, s.topics, part, c.pos[part], pageMessages)
		if err != nil {
			return false
		}
		if through == c.pos[part] {
			through = v.start[part]
		}
		c.pos[part] = through
		*page = append(*page, encode(found)...)
	}
	sortItems(*page)
	return true
}

// drained waits until the client has taken what was sent so far.
func (s *session) drained(ctx context.Context) bool {
	select {
	case <-s.out.drained():
		return !s.out.ended()
	case <-ctx.Done():
		return false
	}
}

func covers(start, pos []chat.Pos) bool {
	for part, p := range pos {
		if p.Compare(start[part]) < 0 {
			return false
		}
	}
	return true
}

// anyUpTo reports whether a message of these topics is at or before pos.
func anyUpTo(items []item, topics chat.TopicSet, pos []chat.Pos) bool {
	return slices.ContainsFunc(items, func(it item) bool {
		return it.id.Pos.Compare(pos[it.id.Part]) <= 0 && topics.Has(it.topic)
	})
}

func nextOf(pos []chat.Pos) []chat.Pos {
	next := make([]chat.Pos, len(pos))
	for part, p := range pos {
		next[part] = p.Next()
	}
	return next
}

func isZero(pos []chat.Pos) bool {
	return !slices.ContainsFunc(pos, func(p chat.Pos) bool { return !p.IsZero() })
}
