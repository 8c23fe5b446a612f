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

// pageMessages is how many messages one step of catching up sends at the most.
const pageMessages = 256

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
		var page []feed.Item
		if now.Covers(c.pos) {
			page = now.After(c.interest, c.pos)
			if len(page) <= feed.MaxAttach {
				// What was there a moment ago; the hub adds what came since.
				c.send(page, now.Cursor())
				c.pos = now.Head
				var attached bool
				if c.subscription, attached = hub.Attach(&c.out, c.interest, c.epoch, c.pos); attached {
					return nil
				}
				continue
			}
			page = page[:min(len(page), pageMessages)]
			c.advance(page)
		} else {
			var err error
			if page, err = c.read(ctx, now); err != nil {
				return err
			}
		}
		c.send(page, chat.Cursor{Epoch: c.epoch, Pos: c.pos}.String())
		if err := c.taken(ctx); err != nil {
			return err
		}
	}
}

// send sends what the session catches up with: first the welcome, then
// messages frames.
func (c *catchUp) send(items []feed.Item, cursor string) {
	switch {
	case !c.welcomed:
		c.welcomed = true
		w := wire.Welcome{Server: c.name, Cursor: cursor, Recovered: c.recovered, More: c.more}
		for _, it := range items {
			w.Messages = append(w.Messages, it.JSON)
		}
		c.out.Answer(&wire.Frame{Text: wire.AppendWelcome(nil, w)})
	case len(items) > 0:
		c.out.Answer(feed.Frame(items, cursor))
	}
}

// advance moves pos to the end of a page from the window. With several
// partitions the page is cut by arrival, so each partition has its own end.
func (c *catchUp) advance(page []feed.Item) {
	c.pos = slices.Clone(c.pos)
	for _, it := range page {
		c.pos[it.ID.Part] = it.ID.Pos
	}
}

// read reads on from the log in every partition in which the window does not
// reach back to c.pos.
func (c *catchUp) read(ctx context.Context, now feed.Snapshot) (page []feed.Item, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	c.pos = slices.Clone(c.pos)
	for part, from := range c.pos {
		if from.Compare(now.Start[part]) >= 0 {
			continue
		}
		found, through, err := c.service.Since(ctx, c.principal, c.interest.Topics, part, from, pageMessages)
		if err != nil {
			return nil, err
		}
		if through == from { // nothing is left before the window
			through = now.Start[part]
		}
		c.pos[part] = through
		page = append(page, feed.Encode(found)...)
	}
	feed.Sort(page)
	return page, nil
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
