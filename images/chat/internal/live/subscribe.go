package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/filter"
	"chatapp/chat/internal/wire"
)

const (
	// logPatience is how long hello waits for a log that cannot be reached, if
	// the window is not enough to answer it.
	logPatience = 30 * time.Second
	// retryWait is the pause between two attempts.
	retryWait = 250 * time.Millisecond
)

// subscribe answers hello and subscribe with a welcome, sends what was missed,
// and attaches the session to the hub.
func (s *session) subscribe(ctx context.Context, topics chat.TopicSet, filter *filter.Matcher, cursor string, most int) error {
	s.feed.Hub().Detach(s.subscription.Swap(nil))
	s.interest = feed.Interest{Topics: topics, Sight: chat.SightOf(s.who()), Filter: filter}
	c, err := s.begin(ctx, cursor, most)
	if err == nil {
		err = c.run(ctx)
	}
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, errLeft) {
			s.logger.Warn("a client could not be welcomed", "error", err)
		}
		s.end(wire.CloseGoingAway)
		return errEnded
	}
	s.alive() // the client was not read meanwhile
	if s.seat != nil {
		s.tellRooms()
		s.renewRooms() // the sight may have grown meanwhile
	}
	s.presence.Inform(s.place)
	return nil
}

// begin decides where a session begins: at its cursor, if everything after
// that is still there, else with the latest messages.
func (s *session) begin(ctx context.Context, cursor string, most int) (*catchUp, error) {
	hub, floor, err := s.sync(ctx, cursor)
	if err != nil {
		return nil, err
	}
	if from, ok := honour(cursor, hub, floor); ok {
		return s.resume(ctx, hub, from, floor), nil
	}
	return s.beginLatest(ctx, hub, most)
}

// sync brings the hub up to date with the log. While the log is away, it takes
// what the hub has, if the client has not seen more than that. Otherwise it
// waits.
func (s *session) sync(ctx context.Context, cursor string) (feed.Snapshot, []chat.Pos, error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	for {
		hub, floor, err := s.feed.Sync(ctx)
		if err == nil {
			return hub, floor, nil
		}
		if _, filled := s.feed.Answered(); filled {
			hub := s.feed.Hub().Snapshot()
			if c, bad := chat.ParseCursor(cursor); cursor == "" || bad == nil && c.Epoch == hub.Epoch && within(c.Pos, hub.Start, hub.Head) {
				return hub, hub.Start, nil
			}
		}
		if !clock.Pause(ctx, retryWait) {
			return feed.Snapshot{}, nil, err
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

// honour gives the position of a cursor if everything after it is still there.
// The cursor must be of this log, not before its floor and not after its end:
// after the end it is where the log has lost its tail. Where retention has
// removed everything, the floor may be after the end.
func honour(text string, hub feed.Snapshot, floor []chat.Pos) ([]chat.Pos, bool) {
	low := slices.Clone(floor)
	for part, head := range hub.Head {
		if head.Compare(low[part]) < 0 {
			low[part] = head
		}
	}
	c, err := chat.ParseCursor(text)
	if err != nil || c.Epoch != hub.Epoch || !within(c.Pos, low, hub.Head) {
		return nil, false
	}
	return c.Pos, true
}

// resume goes on where the client was.
func (s *session) resume(ctx context.Context, hub feed.Snapshot, from, floor []chat.Pos) *catchUp {
	c := &catchUp{session: s, epoch: hub.Epoch, pos: from, step: firstStep, recovered: true}
	if s.interest.Filter == nil {
		c.more = hub.AnyUpTo(s.interest, from)
	} else if last, found := hub.LastUpTo(s.interest, from); found && last.Pos.Compare(hub.Low()) > 0 {
		c.more, c.before = true, chat.ID{Pos: last.Pos.Next(), Part: last.Part} // it is among what comes before
	}
	_, c.learned = s.feed.Hub().Fresh(nil)
	if !c.more && !isZero(from) {
		older, err := s.service.Find(ctx, s.who(), chat.Query{
			Topics: s.interest.Topics, Bounds: nextOf(from), Limit: 1, Wants: wants(s.interest.Filter),
		})
		c.more = err != nil || older.More || len(older.Messages) > 0 // not known: the page may ask
		switch {
		case s.interest.Filter == nil || err != nil:
		case len(older.Messages) > 0:
			last := older.Messages[0].ID
			c.before = chat.ID{Pos: last.Pos.Next(), Part: last.Part} // it is among what comes before
		default:
			c.before = older.Before
		}
	}
	c.missedChanges(ctx, from, floor)
	return c
}

// beginLatest sends a welcome with the last messages, from the window as far
// as that is complete, else from the log.
func (s *session) beginLatest(ctx context.Context, hub feed.Snapshot, most int) (*catchUp, error) {
	c := &catchUp{session: s, epoch: hub.Epoch, pos: hub.Head, step: firstStep}
	_, c.learned = s.feed.Hub().Fresh(nil)
	low := hub.Low()
	found := hub.Last(s.interest, low, most+1)
	if missing := most + 1 - len(found); missing > 0 && !low.IsZero() {
		older, err := s.service.Find(ctx, s.who(), chat.Query{
			Topics: s.interest.Topics, Bounds: slices.Repeat([]chat.Pos{low.Next()}, len(hub.Start)), Limit: missing,
			Wants: wants(s.interest.Filter),
		})
		if err != nil && len(found) == 0 {
			return nil, err
		}
		s.feed.Hub().LearnOf(older.Messages)
		c.more = err != nil || older.More // the log is away: the page may ask for them later
		c.before = older.Before
		found = append(feed.Encode(older.Messages), found...)
	}
	page := lastPage(found[max(0, len(found)-most):])
	if len(found) > len(page) {
		c.more, c.before = true, chat.ID{}
		if s.interest.Filter != nil {
			c.before = found[len(found)-len(page)-1].ID
			c.before.Pos = c.before.Pos.Next() // it is among what comes before
		}
	}
	c.send(page, hub.Cursor())
	return c, nil
}

// lastPage gives as many of the last items as make one page.
func lastPage(items []feed.Item) []feed.Item {
	size := 0
	for i := len(items) - 1; i >= 0; i-- {
		if size >= pageBytes {
			return items[i+1:]
		}
		size += items[i].TextSize()
	}
	return items
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
