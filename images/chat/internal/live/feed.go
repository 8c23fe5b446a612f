package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
)

// feed brings the log to the hub: one goroutine tails each partition from
// where the hub's window ends, one watches whether it is still the same log.
// After any error it reads on from the same position, so nothing is skipped.
type feed struct {
	service *chat.Service
	hub     *hub
	logger  *slog.Logger
	pace    time.Duration // least time between two reads that found something
	onLost  func()        // called when the log is no longer the one the hub has shown

	metrics *Metrics
	syncing flight

	mu      sync.Mutex
	ready   bool      // the window has been filled once
	reached time.Time // when the log last answered
}

const (
	// tailWait is how long a read waits for a message. It bounds how long a
	// silent connection to the log may go unnoticed.
	tailWait = 2 * time.Second
	tailMax  = 512 // messages of one read
	// preload is how many messages, over all partitions, the window starts with.
	preload = 2048
	// callWait bounds one call to the log beside the tails.
	callWait = 3 * time.Second
	// retryWait is the pause after a failed call.
	retryWait = 250 * time.Millisecond
)

// errAnotherLog says that the log was emptied or lost its tail.
var errAnotherLog = errors.New("the log is not the one it was")

// run feeds the hub until ctx ends. When the log turns out to be another, all
// sessions are told to come back, and it begins again.
func (f *feed) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.follow(ctx)
		if errors.Is(err, errAnotherLog) {
			f.logger.Warn("the log was emptied or lost its tail: clients start again from its latest messages")
			f.metrics.resets.Inc()
			f.onLost()
			continue
		}
		if ctx.Err() == nil {
			f.logger.Warn("the log cannot be read", "error", err)
			pause(ctx, retryWait)
		}
	}
}

// follow fills the window, then tails every partition until the log is
// another or ctx ends.
func (f *feed) follow(ctx context.Context) error {
	epoch, err := f.fill(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tails sync.WaitGroup
	for part, from := range f.hub.view().head {
		tails.Go(func() { f.tail(ctx, part, from) })
	}
	tails.Go(func() { cancel(f.watch(ctx, epoch)) })
	tails.Wait()
	return context.Cause(ctx)
}

// fill reads the latest messages of every partition into the hub's window.
func (f *feed) fill(ctx context.Context) (epoch uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	epoch, states, err := f.states(ctx)
	if err != nil {
		return 0, err
	}
	each := max(1, preload/len(states))
	var (
		latest  []chat.Message
		start   = make([]chat.Pos, len(states))
		through = make([]chat.Pos, len(states))
	)
	for part, state := range states {
		batch, err := f.service.Recent(ctx, part, state, each)
		if err != nil {
			return 0, fmt.Errorf("read the latest messages: %w", err)
		}
		start[part], through[part] = batch.After, batch.Through
		latest = append(latest, messagesOf(batch.Events)...)
	}
	f.hub.reset(epoch, start, latest)
	for part, pos := range through {
		f.hub.pass(part, pos)
	}
	f.mu.Lock()
	f.ready = true
	f.mu.Unlock()
	return epoch, nil
}

// tail hands each message after from to the hub, in order.
func (f *feed) tail(ctx context.Context, part int, from chat.Pos) {
	for ctx.Err() == nil {
		batch, err := f.service.Follow(ctx, part, from, tailMax, tailWait)
		if err != nil {
			if ctx.Err() == nil {
				f.metrics.tailErrors.Inc()
				pause(ctx, retryWait)
			}
			continue
		}
		if batch.Through == from {
			continue
		}
		from = batch.Through
		if len(batch.Events) > 0 {
			f.metrics.tailLag.Observe(max(0, time.Since(from.Time()).Seconds()))
			f.hub.publish(messagesOf(batch.Events))
		}
		f.hub.pass(part, from)
		// Under load, what comes in the meantime is read, encoded and written
		// together. A lone message never waits: the pause comes after it.
		pause(ctx, f.pace)
	}
}

// messagesOf gives the messages that known events are.
func messagesOf(events []chat.Event) []chat.Message {
	messages := make([]chat.Message, len(events))
	for i, e := range events {
		messages[i] = e.Message()
	}
	return messages
}

// watch asks now and then where the log stands; it returns errAnotherLog when
// that is not where the hub thinks, or when ctx ends.
func (f *feed) watch(ctx context.Context, epoch uint64) error {
	for pause(ctx, chat.PresencePeriod) {
		call, cancel := context.WithTimeout(ctx, callWait)
		now, _, err := f.states(call)
		cancel()
		if err == nil && now != epoch {
			return errAnotherLog
		}
	}
	return context.Cause(ctx)
}

// states asks for the state of every partition; the epoch of the whole log is
// that of all of them together.
func (f *feed) states(ctx context.Context) (epoch uint64, states []chat.State, err error) {
	states = make([]chat.State, f.service.Partitions())
	for part := range states {
		if states[part], err = f.service.State(ctx, part); err != nil {
			return 0, nil, fmt.Errorf("ask the log's state: %w", err)
		}
		epoch = epoch*31 + states[part].Epoch
	}
	f.mu.Lock()
	f.reached = time.Now()
	f.mu.Unlock()
	return epoch, states, nil
}

// sync returns once the hub has seen everything that was acknowledged before
// the call, by any server, and gives the view and each partition's floor.
// Calls at the same moment share one question to the log.
func (f *feed) sync(ctx context.Context) (view, []chat.Pos, error) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	epoch, states, err := f.syncing.do(ctx, f.states)
	if err != nil {
		return view{}, nil, err
	}
	floor := make([]chat.Pos, len(states))
	for part, s := range states {
		floor[part] = s.Floor
	}
	for {
		v := f.hub.view()
		if v.epoch == epoch && reached(v.head, states) {
			return v, floor, nil
		}
		select {
		case <-v.moved:
		case <-ctx.Done():
			return view{}, nil, fmt.Errorf("wait for the feed: %w", context.Cause(ctx))
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

// answered gives when the log last answered (zero: never) and whether the
// window has been filled since this process started.
func (f *feed) answered() (last time.Time, ready bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reached, f.ready
}

// pause waits for d and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flight lets calls that overlap share the next answer: a caller never gets
// one that was asked for before it came, which might be too old.
type flight struct {
	mu   sync.Mutex
	next *answer // will be asked when the one under way is done; may be joined
	busy bool
}

type answer struct {
	done   chan struct{}
	epoch  uint64
	states []chat.State
	err    error
}

func (g *flight) do(ctx context.Context, ask func(context.Context) (uint64, []chat.State, error)) (uint64, []chat.State, error) {
	g.mu.Lock()
	if g.next == nil {
		g.next = &answer{done: make(chan struct{})}
	}
	mine := g.next
	if !g.busy {
		g.busy = true
		go g.run(ask)
	}
	g.mu.Unlock()
	select {
	case <-mine.done:
		return mine.epoch, mine.states, mine.err
	case <-ctx.Done():
		return 0, nil, context.Cause(ctx)
	}
}

// run asks until nobody is waiting.
func (g *flight) run(ask func(context.Context) (uint64, []chat.State, error)) {
	for {
		g.mu.Lock()
		a := g.next
		g.next = nil
		if a == nil {
			g.busy = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), callWait)
		a.epoch, a.states, a.err = ask(ctx)
		cancel()
		close(a.done)
	}
}
