package live

import (
	"context"
	"errors"
	"slices"
	"time"

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
	step  int  // how many messages of a partition are read from the log next
	asked bool // the log was asked whether there is anything to read

	welcomed        bool    // the welcome was sent
	recovered, more bool    // in the welcome
	before          chat.ID // in the welcome: zero: not said

	learned   uint64        // what the hub had learned of numbers when it began
	changes   []chat.Change // to be told behind the welcome
	noNumbers bool          // in the welcome: there are too many changes
}

// One step of catching up sends a page: it ends at pageMessages, or with the
// message that reaches pageBytes of JSON. A client that takes a page within
// twice takeWait is slow, not gone.
const (
	pageMessages = 256
	pageBytes    = chat.PageBytes

	// firstStep is how many messages of a partition are read from the log at
	// first, leastStep the fewest: about as many as make a page.
	firstStep = 64
	leastStep = 8
)

// Why a session cannot catch up. It is closed, and the client resumes.
var (
	errOtherLog = errors.New("the log is another by now")
	errLeft     = errors.New("the client takes no more")

	errManyChanges = errors.New("too many messages have changed to look through")
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
		// These are the items of a moment ago. The hub adds what came since.
		c.send(items, now.Cursor())
		c.pos = now.Head
		if subscription, attached := hub.Attach(&c.out, c.interest, c.epoch, c.pos, c.learned); attached {
			c.subscription.Store(subscription)
			return nil
		}
		if err := c.tellChanges(ctx); err != nil {
			return err
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
		size += it.TextSize()
	}
	return len(items)
}

// sendAll sends the first page of items, which are everything up to through.
// The rest is read again when the client has taken the page. If it were kept,
// it would take memory for each slow client.
func (c *catchUp) sendAll(ctx context.Context, items []feed.Item, through []chat.Pos) error {
	n := onePage(items)
	if n < len(items) {
		c.step = max(leastStep, 2*n)
		return c.sendPage(ctx, items[:n])
	}
	c.step = min(2*c.step, pageMessages)
	c.pos = through
	c.send(items, c.cursor())
	return c.taken(ctx)
}

// sendPage sends the first of some items. The items of each partition are in
// order, so the session has reached a position of its own in each.
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
// messages frames; all with the newest numbers.
func (c *catchUp) send(items []feed.Item, cursor string) {
	items = c.seen(items)
	hub := c.feed.Hub()
	switch {
	case !c.welcomed:
		c.welcomed = true
		w := wire.Welcome{
			Server: c.name, Time: time.Now(), Cursor: cursor, Recovered: c.recovered, More: c.more, Before: c.before, NoNumbers: c.noNumbers,
			You: c.who(), Features: c.features,
		}
		hub.Answer(&c.out, c.ownVotes(items), func(items []feed.Item) *wire.Frame {
			w.Messages = feed.Texts(items)
			return &wire.Frame{Text: wire.AppendWelcome(nil, w)}
		})
		for list := range slices.Chunk(c.changes, updatesInFrame) {
			c.out.Answer(feed.Updates(list))
		}
		c.changes = nil
	case len(items) > 0:
		hub.Answer(&c.out, items, func(items []feed.Item) *wire.Frame { return feed.Frame(items, cursor) })
	}
}

// updatesInFrame is how many updates one frame holds: some 20 KiB.
const updatesInFrame = 250

// ownVotes gives items with the votes of the session's account, if it has one.
// While the store does not answer they are left out.
func (c *catchUp) ownVotes(items []feed.Item) []feed.Item {
	if !c.who().SignedIn() || len(items) == 0 {
		return items
	}
	ctx, cancel := context.WithTimeout(context.Background(), historyWait)
	defer cancel()
	messages := make([]chat.Message, len(items))
	for i, it := range items {
		messages[i].ID = it.ID
	}
	if err := c.service.Dress(ctx, c.who(), messages); err != nil {
		return items
	}
	return feed.Voted(items, messages)
}

// tellChanges sends the changes of numbers that the hub has learned since the
// session began to catch up, if they are too many for one Attach.
func (c *catchUp) tellChanges(ctx context.Context) error {
	changes, now, ok := c.feed.Hub().Updates(c.interest, c.pos, c.learned)
	if !ok {
		return errOtherLog // the client resumes, and is told to ask
	}
	c.learned = now
	for list := range slices.Chunk(changes, updatesInFrame) {
		c.out.Answer(feed.Updates(list))
		if err := c.taken(ctx); err != nil {
			return err
		}
	}
	return nil
}

// missedChanges finds what has to be told of numbers to a client that resumes.
func (c *catchUp) missedChanges(ctx context.Context, from, floor []chat.Pos) {
	changes, complete := c.feed.Hub().ChangedSince(c.interest, from, floor)
	if !complete {
		var err error
		if changes, err = c.readChanges(ctx, from, floor); err != nil {
			c.noNumbers = true // the client asks for the numbers of what it shows
			return
		}
	}
	if len(changes) > feed.MaxUpdates {
		c.noNumbers = true
		return
	}
	c.changes = changes
}

// readChanges asks the store what the hub does not remember. It looks through
// ten times as much as is told, at the most.
func (c *catchUp) readChanges(ctx context.Context, from, floor []chat.Pos) (found []chat.Change, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	looked := 0
	for part, pos := range from {
		for after := feed.Since(pos); len(found) <= feed.MaxUpdates; {
			list, err := c.service.ChangedNumbers(ctx, part, after, feed.MaxUpdates)
			if err != nil {
				return nil, err
			}
			if len(list) == 0 {
				break
			}
			c.feed.Hub().Learn(part, list, 0) // nobody is told older ones after this
			for _, change := range list {
				after = change.Rev
				if c.interest.Wants(change.Topic) && change.ID.Pos.Compare(pos) <= 0 && change.ID.Pos.Compare(floor[part]) > 0 {
					found = append(found, change)
				}
			}
			if looked += len(list); looked > 10*feed.MaxUpdates {
				return nil, errManyChanges
			}
		}
	}
	return found, nil
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
		if !c.asked {
			nothing, err := c.service.NothingSince(ctx, c.interest.Topics, part, from)
			if err != nil {
				return nil, nil, err
			}
			if nothing {
				through[part] = now.Start[part]
				continue
			}
		}
		found, end, err := c.service.Since(ctx, c.who(), c.interest.Topics, part, from, c.step)
		if err != nil {
			return nil, nil, err
		}
		if end == from { // nothing is left before the window
			end = now.Start[part]
		}
		through[part] = end
		c.feed.Hub().LearnOf(found)
		items = append(items, feed.Encode(found)...)
	}
	c.asked = true
	items = c.interest.Filtered(items)
	feed.Sort(items)
	return items, through, nil
}

// seen leaves out messages of rooms that the client has left since they were
// read: the pages of a slow client may wait for long.
func (c *catchUp) seen(items []feed.Item) []feed.Item {
	unseen := func(it feed.Item) bool { return !c.interest.Sight.Sees(it.Topic) }
	if !slices.ContainsFunc(items, unseen) {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), unseen)
}

// taken waits until the client has taken what was sent so far.
func (c *catchUp) taken(ctx context.Context) error {
	c.patiently(ctx, c.out.drained())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c.out.Ended():
		return errLeft
	}
	return nil
}
