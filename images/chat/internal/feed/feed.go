// Package feed is the reading side: it tails the log, keeps the recent end of
// it in memory, and hands new messages to subscribers. It knows nothing of
// sockets.
package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
)

// Log is what the feed reads; chat.Service is one.
type Log interface {
	Partitions() int
	Follow(ctx context.Context, part int, after chat.Pos, max int, wait time.Duration) (chat.Batch, error)
	Recent(ctx context.Context, part int, state chat.State, max int) (chat.Batch, error)
	State(ctx context.Context, part int) (chat.State, error)
	FollowNumbers(ctx context.Context, part int, after chat.Rev, wait time.Duration) ([]chat.Change, chat.Rev, error)
	Dress(ctx context.Context, who chat.Principal, messages []chat.Message) error
	Listen(ctx context.Context, take func(part int, list []chat.Ephemeral))
}

// Options of a Feed.
type Options struct {
	Pace    time.Duration // least time between two reads that found something
	Logger  *slog.Logger
	Metrics *Metrics
	// Left is told of each chat.KindLeft, before anything that comes after it
	// in the log is shown to anybody. Nil: nobody is told.
	Left func(room, account string, version uint64)
	// Renew is called before messages are shown: it tells the hub of sights that
	// have grown (Hub.Renew). Nil: nobody's do.
	Renew func()
}

// Feed reads the log for its hub. One goroutine tails each partition from where
// the hub's window ends, and one checks that it is still the same log. After
// any error it reads on from the same position, so nothing is skipped. Its
// methods are safe for use by many goroutines.
type Feed struct {
	log     Log
	hub     *Hub
	options Options
	asker   *asker

	mu       sync.Mutex
	filled   bool      // the window has been filled once
	answered time.Time // when the log last answered, a part of it at least
	last     []state   // by partition; empty before the first answer of all
}

const (
	// tailWait is how long a read waits for a message. It bounds how long a
	// silent connection to the log may go unnoticed.
	tailWait = 2 * time.Second
	// tailMost is how many messages one read asks for.
	tailMost = 512
	// watchPeriod is the time between two looks at the log's epoch.
	watchPeriod = 2 * time.Second
	// preload is how many messages, over all partitions, the window starts with.
	preload = 2048
	// retryWait is the pause after a failed call.
	retryWait = 250 * time.Millisecond
)

// New makes a feed with a hub of its own. Nothing is read before Run.
func New(log Log, o Options) *Feed {
	f := &Feed{log: log, hub: NewHub(log.Partitions(), o.Metrics), options: o}
	f.asker = newAsker(func(ctx context.Context) (standing, error) { return f.ask(ctx, true) })
	return f
}

// Hub is the hub that the feed reads for.
func (f *Feed) Hub() *Hub { return f.hub }

// Why the hub begins again.
var (
	// errAnotherLog says that the log was emptied or lost its tail.
	errAnotherLog = errors.New("the log is not the one it was")
	// errOvertaken says that retention has removed what a tail had still to read.
	errOvertaken = errors.New("retention has overtaken this server")
	// errArrived says that a partition has answered for the first time.
	errArrived = errors.New("a part of the log that was away when this server started is there")
)

// Run feeds the hub until ctx ends. When the log turns out to be another, or
// retention has overtaken a tail, the hub begins again and its subscribers are
// told that they are Lost. Run is called once.
func (f *Feed) Run(ctx context.Context) {
	var asking sync.WaitGroup
	asking.Go(func() { f.asker.run(ctx) })
	asking.Go(func() { f.flush(ctx) })
	asking.Go(func() {
		f.log.Listen(ctx, func(_ int, list []chat.Ephemeral) {
			f.renew()
			f.hub.Whisper(list)
		})
	})
	defer asking.Wait()
	for said := ""; ctx.Err() == nil; {
		switch err := f.follow(ctx); {
		case ctx.Err() != nil:
		case errors.Is(err, errAnotherLog):
			f.options.Logger.Warn("the log was emptied or lost its tail: clients start again from its latest messages")
			f.options.Metrics.resets.Inc()
		case errors.Is(err, errOvertaken):
			f.options.Logger.Warn("messages were removed before this server had read them: clients resume, and are told")
			f.options.Metrics.overtaken.Inc()
		case errors.Is(err, errArrived):
			f.options.Logger.Info("all of the log that has answered is read now: clients start again from its latest messages")
		case err.Error() != said: // not at each try
			said = err.Error()
			f.options.Logger.Warn("the log cannot be read", "error", err)
			clock.Pause(ctx, retryWait)
		default:
			clock.Pause(ctx, retryWait)
		}
	}
}

// follow fills the window, then tails every partition until the log is
// another, a tail is overtaken, or ctx ends.
func (f *Feed) follow(ctx context.Context) error {
	now, revs, err := f.fill(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tails sync.WaitGroup
	for part, from := range f.hub.Snapshot().Head {
		if !now.known[part] {
			continue // its position is not known
		}
		tails.Go(func() { cancel(f.tail(ctx, part, from, now)) })
		tails.Go(func() { f.tailNumbers(ctx, part, revs[part]) })
	}
	tails.Go(func() { cancel(f.watch(ctx, now)) })
	tails.Wait()
	return context.Cause(ctx)
}

// fill reads the recent end of every partition into the hub's window, and the
// numbers of what is there. A partition that has never answered is left empty.
func (f *Feed) fill(ctx context.Context) (now standing, revs []chat.Rev, err error) {
	if now, err = f.stand(ctx); err != nil {
		return standing{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	recent := make([]chat.Batch, len(now.states))
	stands := Standing{Revs: make([]chat.Rev, len(now.states))}
	for part, state := range now.states {
		if !now.known[part] {
			continue
		}
		// The numbers come first: the tail tells what changes from here on.
		if _, stands.Revs[part], err = f.log.FollowNumbers(ctx, part, 0, 0); err != nil {
			return now, nil, fmt.Errorf("read where the numbers stand: %w", err)
		}
		if recent[part], err = f.log.Recent(ctx, part, state, max(1, preload/len(now.states))); err != nil {
			return now, nil, fmt.Errorf("read the latest messages: %w", err)
		}
		var messages []chat.Message
		for _, e := range recent[part].Events {
			if e.Kind.IsMessage() {
				messages = append(messages, e.Message())
			}
		}
		if err := f.log.Dress(ctx, chat.Guest, messages); err != nil {
			return now, nil, fmt.Errorf("read the latest numbers: %w", err)
		}
		for _, m := range messages {
			if m.Rev != 0 {
				stands.Changes = append(stands.Changes, chat.Change{ID: m.ID, Topic: m.Topic, Rev: m.Rev, Tally: m.Tally})
			}
		}
	}
	f.hub.Reset(now.epoch, recent, stands)
	f.mu.Lock()
	f.filled = true
	f.mu.Unlock()
	return now, stands.Revs, nil
}

// tailNumbers hands each change of numbers after from to the hub.
func (f *Feed) tailNumbers(ctx context.Context, part int, from chat.Rev) {
	for ctx.Err() == nil {
		changes, next, err := f.log.FollowNumbers(ctx, part, from, tailWait)
		if err != nil {
			if ctx.Err() == nil {
				f.options.Metrics.tailErrors.Inc()
				clock.Pause(ctx, retryWait)
			}
			continue
		}
		from = next
		if len(changes) > 0 {
			f.hub.Learn(part, changes, from)
			clock.Pause(ctx, f.options.Pace)
		}
	}
}

// flush has the hub tell numbers when they are due.
func (f *Feed) flush(ctx context.Context) {
	for {
		var later <-chan time.Time
		var timer *time.Timer
		if wait := f.hub.flush(time.Now()); wait > 0 {
			timer = time.NewTimer(wait)
			later = timer.C
		}
		select {
		case <-f.hub.due:
		case <-later:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// tail hands each event after from to the hub, in order, until ctx ends. It
// returns errOvertaken or errAnotherLog when some of them are gone: what comes
// after a gap is shown to nobody, so that every cursor tells of it.
func (f *Feed) tail(ctx context.Context, part int, from chat.Pos, was standing) error {
	for ctx.Err() == nil {
		batch, err := f.log.Follow(ctx, part, from, tailMost, tailWait)
		if err != nil {
			if ctx.Err() == nil {
				f.options.Metrics.tailErrors.Inc()
				clock.Pause(ctx, retryWait)
			}
			continue
		}
		if batch.Gap {
			// A log that has lost its end has a gap, too. Asked for its state, it knows.
			if now, err := f.stand(ctx); err == nil {
				if err := was.changed(now); err != nil {
					return err
				}
			}
			return errOvertaken
		}
		if batch.Through == from {
			continue
		}
		from = batch.Through
		f.options.Metrics.tailLag.Observe(max(0, time.Since(from.Time()).Seconds()))
		f.publish(part, batch)
		// Under load, what comes in the meantime is read, encoded and written
		// together. A lone message never waits: the pause comes after it.
		clock.Pause(ctx, f.options.Pace)
	}
	return context.Cause(ctx)
}

// publish hands a batch to the hub, in pieces that end where somebody has left
// a room: the hub asks for each piece who may see it.
func (f *Feed) publish(part int, batch chat.Batch) {
	f.renew()
	for i := 0; f.options.Left != nil && i < len(batch.Events); i++ {
		e := batch.Events[i]
		if e.Kind != chat.KindLeft {
			continue
		}
		before := chat.Batch{After: batch.After, Events: batch.Events[:i], Through: e.ID.Pos}
		f.hub.Publish(part, before)
		batch.After, batch.Events, i = e.ID.Pos, batch.Events[i+1:], -1
		f.options.Left(e.Departure())
	}
	f.hub.Publish(part, batch)
}

func (f *Feed) renew() {
	if f.options.Renew != nil {
		f.options.Renew()
	}
}

// watch asks now and then for the state of the log, until ctx ends. It returns
// errAnotherLog when the log is another, errArrived when a partition has
// answered for the first time.
func (f *Feed) watch(ctx context.Context, was standing) error {
	for clock.Pause(ctx, watchPeriod) {
		if now, err := f.stand(ctx); err == nil {
			if err := was.changed(now); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// stand is ask within callWait.
func (f *Feed) stand(ctx context.Context) (standing, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	return f.ask(ctx, false)
}

// changed says why the hub has to begin again, if it has to.
func (s standing) changed(now standing) error {
	switch {
	case !slices.Equal(now.known, s.known):
		return errArrived
	case now.epoch != s.epoch:
		return errAnotherLog
	}
	return nil
}

// ask asks for the state of every partition; the epoch of the whole log is that
// of all of them together. A partition that does not answer while others do
// stands as it stood, without a head, or as an empty one if it has never
// answered: a dead shard stops its own topics alone. With hurry it is not asked
// at all until it answers again.
func (f *Feed) ask(ctx context.Context, hurry bool) (standing, error) {
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	asked := make([]state, f.log.Partitions())
	var asking sync.WaitGroup
	for part := range asked {
		if hurry && len(last) > 0 && last[part].err != nil {
			asked[part] = last[part]
			continue
		}
		asking.Go(func() {
			s, err := f.log.State(ctx, part)
			asked[part] = state{s, err, err == nil}
		})
	}
	asking.Wait()
	now, lost := standing{states: make([]chat.State, len(asked)), known: make([]bool, len(asked))}, 0
	var first error
	for part, s := range asked {
		if s.err != nil {
			lost++
			if first == nil {
				first = fmt.Errorf("ask the log's state: %w", s.err)
			}
			s = state{err: s.err}
			if len(last) > 0 && last[part].known {
				s.State, s.known = chat.State{Epoch: last[part].Epoch, Floor: last[part].Floor}, true
			}
			asked[part] = s
		}
		now.states[part], now.known[part] = s.State, s.known
		now.epoch = now.epoch*31 + s.Epoch
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if lost == len(asked) {
		return standing{}, first
	}
	f.last, f.answered = asked, time.Now()
	return now, nil
}

// state is a partition's state, as last known if there was an error.
type state struct {
	chat.State
	err   error
	known bool // it has answered once
}

// Sync returns once the hub has seen everything that was acknowledged before
// the call, by any server, and gives the hub's snapshot and each partition's
// floor. Calls at the same moment share one question to the log. It takes at
// most callWait.
func (f *Feed) Sync(ctx context.Context) (Snapshot, []chat.Pos, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	now, err := f.asker.do(ctx)
	if err != nil {
		return Snapshot{}, nil, err
	}
	floor := make([]chat.Pos, len(now.states))
	for part, s := range now.states {
		floor[part] = s.Floor
	}
	for {
		hub := f.hub.Snapshot()
		if hub.Epoch == now.epoch && reached(hub.Head, now.states) {
			return hub, floor, nil
		}
		select {
		case <-hub.Changed:
		case <-ctx.Done():
			return Snapshot{}, nil, fmt.Errorf("wait for the feed: %w", context.Cause(ctx))
		}
	}
}

func reached(head []chat.Pos, states []chat.State) bool {
	for part, s := range states {
		if head[part].Compare(s.Head) < 0 {
			return false
		}
	}
	return true
}

// Answered gives when the log last answered (zero: never) and whether the
// window has been filled since this process started.
func (f *Feed) Answered() (last time.Time, filled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered, f.filled
}
