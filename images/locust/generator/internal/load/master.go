package load

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Receive takes a message of the lab's own. Implements locust.Load.
func (w *Worker) Receive(kind string, raw msgpack.RawMessage) {
	var data struct {
		Run     string                        `msgpack:"run"`
		Options Options                       `msgpack:"options"`
		Targets string                        `msgpack:"targets"`
		Boot    string                        `msgpack:"boot"`
		Elapsed int64                         `msgpack:"elapsed"`
		Probed  bool                          `msgpack:"probed"`
		Rate    float64                       `msgpack:"rate"`
		Asked   int64                         `msgpack:"asked"`
		Clock   int64                         `msgpack:"clock"`
		On      bool                          `msgpack:"on"`
		Topics  []string                      `msgpack:"topics"`
		Canons  map[string]msgpack.RawMessage `msgpack:"canons"`
	}
	if err := msgpack.Unmarshal(raw, &data); err != nil {
		w.log.Error("unreadable", "message", kind, "error", err)
		return
	}
	if kind == "chat_pong" {
		w.pong(data.Run, data.Boot, data.Asked, data.Clock, data.On)
		return
	}
	if kind == "chat_start" {
		w.begin(data.Run, data.Options, data.Targets, data.Boot, data.Elapsed, data.Probed)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if data.Run != w.ledger.Run {
		return // of a run that is over for us
	}
	ctx := w.runCtx
	switch kind {
	case "chat_rate":
		if !w.draining {
			w.posting.setRate(data.Rate)
		}
	case "chat_drain":
		w.draining = true
		go w.handIn(ctx)
	case "chat_look":
		go w.lookUp(ctx, data.Topics)
	case "chat_settle":
		go w.settle(ctx, data.Canons)
	default:
		w.log.Warn("unknown message", "message", kind)
	}
}

// begin: a run begins; forget the last one.
func (w *Worker) begin(run string, options Options, targets, boot string, elapsed int64, probed bool) {
	w.mu.Lock()
	if run == w.ledger.Run && w.begun.isSet() {
		w.mu.Unlock()
		return // told twice
	}
	w.endRun()
	leftover := w.clients
	w.mu.Unlock()
	stopAll(leftover)
	if boot != "" && boot == bootID() {
		w.clock.sameKernel()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reset(run, options)
	w.probed = probed
	w.targets = nil
	for _, one := range strings.Split(targets, ",") {
		w.targets = append(w.targets, strings.TrimRight(strings.TrimSpace(one), "/"))
	}
	// A newcomer's seconds are the run's seconds, so they begin where the run is.
	w.start = w.clock.now() - elapsed
	w.second = elapsed / 1_000_000
	w.heard = time.Now()
	w.posting = newPosting(w, fmt.Sprintf("%d/%d", options.Seed, w.master.Index()))
	w.runCtx, w.endRun = context.WithCancel(context.Background())
	go w.reportForever(w.runCtx)
	go w.watchLag(w.runCtx)
	go w.posting.run(w.runCtx)
	w.begun.set()
	if w.probing {
		go w.sendProbes(w.runCtx)
	}
}

// sendProbes makes a probe worker's people: they read and post, in the first
// topics, and stay.
func (w *Worker) sendProbes(ctx context.Context) {
	for range w.settings().Probes {
		name, _, topics, err := w.newcomer(ctx, probe)
		if err != nil {
			return
		}
		c := newClient(w, name, topics, true, false)
		w.join(c)
		c.start(ctx)
		c.connected.waitFor(ctx, time.Second)
	}
}

// Spawned: all users are started; the first time counts. Implements
// locust.Load.
func (w *Worker) Spawned() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ramping {
		return
	}
	ctx := w.runCtx
	go func() {
		if !sleep(ctx, settleIn) {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ramping {
			w.report(false)
			w.vitals.cpu = nil
			w.ramping = false
		}
	}()
}

// pong: the master told the time, and which run is on.
func (w *Worker) pong(run, boot string, asked, theirs int64, on bool) {
	if boot != "" && boot == bootID() {
		w.clock.sameKernel()
	}
	w.clock.exchanged(asked, theirs, nowUS())
	w.mu.Lock()
	w.heard = time.Now()
	same, ours, closed := run == w.ledger.Run, w.begun.isSet(), w.closed
	w.mu.Unlock()
	switch {
	case same && ours, same && !on:
	case ours && !closed:
		w.orphan("its master is at another run")
	case on:
		w.master.Send("chat_join", map[string]any{})
	}
}

// ask asks the master for the time, often at first, and notices when it does
// not answer; until ctx ends.
func (w *Worker) ask(ctx context.Context) {
	for number := 0; ; number++ {
		if w.master.Connected() {
			w.master.Send("chat_ping", map[string]any{"asked": nowUS()})
		}
		pause, before := askEvery, time.Now()
		if number < askFirstTimes {
			pause = askFirst
		}
		if !sleep(ctx, pause) {
			return
		}
		w.mu.Lock()
		if time.Since(before) > pause+time.Second {
			w.heard = time.Now() // it was us who stood still: ask once more
		}
		patience := orphaned
		if w.closed {
			patience = orphanedAtEnd
		}
		alone := time.Since(w.heard) > patience
		w.mu.Unlock()
		if alone {
			w.orphan("its master does not answer")
		}
	}
}

// orphan: nobody leads this load any more. Stop it, and ask to be taken in
// again. Without the lock.
func (w *Worker) orphan(why string) {
	w.mu.Lock()
	if w.begun.isSet() {
		w.log.Warn("the load stops", "run", w.ledger.Run, "reason", why)
		w.begun.clear()
		w.draining, w.closed = true, true
		w.endRun()
	} else if time.Since(w.requested) < requestEvery {
		w.mu.Unlock()
		return
	}
	w.requested = time.Now()
	clients := slices.Clone(w.clients)
	w.mu.Unlock()
	stopAll(clients)
	w.master.Abandon()
}

// stopAll stops clients side by side.
func stopAll(clients []*client) {
	var wait sync.WaitGroup
	for _, one := range clients {
		wait.Go(one.stop)
	}
	wait.Wait()
}
