package live

import (
	"context"
	"errors"
	"slices"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/wire"
)

// catchUp is a session between its hello, or subscribe, and the hub:
// everything up to pos has been sent to it (or is before what it asked for),
// in a log of this epoch.
type catchUp struct {
	*session
	epoch uint64
	pos   []chat.Pos

	welcomed        bool // the welcome was sent
	recovered, more bool // in the welcome
}

// One step of catching up sends a page: it ends at pageMessages, or with the
// message that reaches pageBytes of JSON. A client that takes a page within
// writeWait is slow, not gone.
const (
	pageMessages = 256
	pageBytes    = 64 << 10
)

// Why a session cannot catch up. It is closed, and the client resumes.
var (
	errOtherLog = errors.New("the log is another by now")
	errLeft     = errors.New("the client takes no more")
)

// run sends everything after c.pos and attaches the session to the hub.
// Catching up and live delivery meet without gap or repeat: pages are read
// from the window, or from the log, until the hub attaches the session at
// exactly the position it has reached.
func (c *catchUp) run(ctx context.Context) error {
	hub := c.feed.Hub()
	for {
		now := hub.Snapshot()
		if now.Epoch != c.epoch {
			return errOtherLog
		}
		if !now.Covers(c.pos) {
			items, through, err := c.read(ctx, now)
			if err == nil {
				err = c.sendAll(ctx, items, through)
			}
			if err != nil {
				return err
			}
			continue
		}
		items := now.After(c.interest, c.pos)
		if n := onePage(items); n < len(items) {
			if err := c.sendPage(ctx, items[:n]); err != nil {
				return err
			}
			continue
		}
		// What was there a moment ago; the hub adds what came since.
		c.send(items, now.Cursor())
		c.pos = now.Head
		if subscription, attached := hub.Attach(&c.out, c.interest, c.epoch, c.pos); attached {
			c.subscription.Store(subscription)
			return nil
		}
	}
}

// onePage is how many of the first items make a page.
func onePage(items []feed.Item) int {
	size := 0
	for i, it := range items {
		if i == pageMessages || size >= pageBytes {
			return i
		}
		size += len(it.JSON)
	}
	return len(items)
}

// sendAll sends items, which are everything up to through.
func (c *catchUp) sendAll(ctx context.Context, items []feed.Item, through []chat.Pos) error {
	for {
		n := onePage(items)
		if n == len(items) {
			c.pos = through
			c.send(items, c.cursor())
			return c.taken(ctx)
		}
		if err := c.sendPage(ctx, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
}

// sendPage sends items that are not yet everything up to some position. Each
// partition's items are in order, so each has its own end.
func (c *catchUp) sendPage(ctx context.Context, items []feed.Item) error {
	c.pos = slices.Clone(c.pos)
	for _, it := range items {
		c.pos[it.ID.Part] = it.ID.Pos
	}
	c.send(items, c.cursor())
	return c.taken(ctx)
}

func (c *catchUp) cursor() string { return chat.Cursor{Epoch: c.epoch, Pos: c.pos}.String() }

// send sends what the session catches up with: first the welcome, then
// messages frames.
func (c *catchUp) send(items []feed.Item, cursor string) {
	items = c.seen(items)
	switch {
	case !c.welcomed:
		c.welcomed = true
		w := wire.Welcome{Server: c.name, Cursor: cursor, Recovered: c.recovered, More: c.more, You: c.who(), Features: c.features}
		for _, it := range items {
			w.Messages = append(w.Messages, it.JSON)
		}
		c.out.Answer(&wire.Frame{Text: wire.AppendWelcome(nil, w)})
	case len(items) > 0:
		c.out.Answer(feed.Frame(items, cursor))
	}
}

// read reads on from the log in every partition in which the window does not
// reach back to c.pos. The items are everything up to through.
func (c *catchUp) read(ctx context.Context, now feed.Snapshot) (items []feed.Item, through []chat.Pos, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	through = slices.Clone(c.pos)
	for part, from := range c.pos {
		if from.Compare(now.Start[part]) >= 0 {
			continue
		}
		found, end, err := c.service.Since(ctx, c.who(), c.interest.Topics, part, from, pageMessages)
		if err != nil {
			return nil, nil, err
		}
		if end == from { // nothing is left before the window
			end = now.Start[part]
		}
		through[part] = end
		items = append(items, feed.Encode(found)...)
	}
	feed.Sort(items)
	return items, through, nil
}

// seen leaves out what is of rooms that the client has left since it was read:
// a slow client's pages may wait for long.
func (c *catchUp) seen(items []feed.Item) []feed.Item {
	unseen := func(it feed.Item) bool { return !c.interest.Sight.Sees(it.Topic) }
	if !slices.ContainsFunc(items, unseen) {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), unseen)
}

// taken waits until the client has taken what was sent so far.
func (c *catchUp) taken(ctx context.Context) error {
	select {
	case <-c.out.drained():
		if c.out.Ended() {
			return errLeft
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
