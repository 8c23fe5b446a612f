package load

import (
	"context"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/wire"
)

// The end of a run in one load process: hand in the books, read histories back,
// hear readers out. The master leads; each step answers one of its messages.

const (
	// quiet is the time without any delivery after which waiting on looks
	// pointless.
	quiet = 5 * time.Second
	// nobody is the time without any open socket after which nobody waits for one
	// any more: longer than a pod takes to come back and people take to notice.
	nobody = 8 * time.Second
	// stuck is the time without any answer, delivery or connection after which
	// waiting on is pointless: a post is tried anew after ackTimeout, which must
	// have its chance.
	stuck = ackTimeout + 2*time.Second
	// unreadable is the time in which no page of history came after which the
	// remaining topics are not asked for.
	unreadable = 12 * time.Second
	// lookEvery is the time between two looks at who is still waiting.
	lookEvery = 250 * time.Millisecond
	// busyEvery is the time between two signs of life while a long step goes on.
	busyEvery = 2 * time.Second
	// grace is for duplicates and strays that come after the last message.
	grace = 500 * time.Millisecond
	// lossesShown is how many losses become rows of Locust's failure table.
	lossesShown = 1_000
)

// hope says whether waiting on may change anything: a chat that is gone must not
// hold up the end.
type hope struct {
	w *Worker
	// changed is when the state, by left's argument and the sockets, last did.
	changed           time.Time
	progress, sockets int
}

// hopeful begins a step. With the lock.
func (w *Worker) hopeful() *hope {
	return &hope{w: w, changed: time.Now(), progress: -1}
}

// left says whether there is hope; progress is a number that changes when
// something happens. With the lock.
func (h *hope) left(progress int) bool {
	sockets := 0
	for _, c := range h.w.clients {
		if c.connected.isSet() {
			sockets++
		}
	}
	now := time.Now()
	if progress != h.progress || sockets != h.sockets {
		h.changed, h.progress, h.sockets = now, progress, sockets
	}
	if sockets > 0 || len(h.w.clients) == 0 {
		h.w.connectedAt = now
	}
	return now.Sub(h.w.connectedAt) < nobody && now.Sub(h.changed) < stuck
}

// handIn waits until every post is answered or time is up; then it closes the
// books. After that nothing is sent any more: what is due stays due, and is
// counted.
func (w *Worker) handIn(ctx context.Context) {
	w.mu.Lock()
	w.posting.setRate(0)
	clients, patience := slices.Clone(w.clients), w.options.drain()
	w.connectedAt = time.Now()
	hope := w.hopeful()
	w.mu.Unlock()
	for _, c := range clients {
		c.comeBack()
	}
	deadline := time.Now().Add(patience)
	for over := false; !over && time.Now().Before(deadline); {
		if !sleep(ctx, 50*time.Millisecond) {
			return
		}
		w.mu.Lock()
		// Every answer lowers the number of posts that wait.
		pending := 0
		for _, c := range w.clients {
			pending += c.outbox.pending
		}
		over = w.posting.idle() || !hope.left(pending)
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		w.closed = true
		w.tell("chat_posted", w.ledger.Run, map[string]any{"books": ledger.PackBooks(w.ledger.Books)})
	}
}

// lookUp reads topics back to their beginning; one that could not be read is
// null.
func (w *Worker) lookUp(ctx context.Context, topics []string) {
	histories := map[string]any{}
	w.mu.Lock()
	book := w.ledger
	w.mu.Unlock()
	alive, came := w.signOfLife(book.Run), time.Now()
	progress := func() {
		came = time.Now()
		alive()
	}
	for _, topic := range topics {
		histories[topic] = nil
		if time.Since(came) > unreadable {
			continue
		}
		messages, err := w.readBack(ctx, topic, progress)
		w.mu.Lock()
		if err != nil {
			w.failure("history", err.Error())
			w.log.Warn("a topic could not be read back", "error", err)
		} else {
			for _, m := range messages {
				if text := changed(m); text != "" {
					w.failure("history", "kept: "+text)
				}
			}
			histories[topic] = book.History(messages).Packed()
		}
		w.mu.Unlock()
	}
	if ctx.Err() == nil {
		w.tell("chat_looked", book.Run, map[string]any{"histories": histories})
	}
}

// signOfLife tells the master now and then that a long step goes on.
func (w *Worker) signOfLife(run string) func() {
	last := time.Now()
	return func() {
		if time.Since(last) > busyEvery {
			last = time.Now()
			w.tell("chat_busy", run, map[string]any{})
		}
	}
}

// changed says what of a message that was posted here, or by another worker, is
// kept otherwise than it was posted.
func changed(m *wire.Message) string {
	mark, marked, err := ledger.ReadMark(m.Content)
	switch {
	case err != nil || !marked: // the ledger counts it
		return ""
	case m.Name != posterName(mark.Poster):
		return "another name than was posted"
	case m.Email != posterEmail(mark.Poster):
		return "another email than was posted"
	}
	return ""
}

// settle waits until every reader has been shown everything, or nothing comes
// any more; then it holds them against the canons.
func (w *Worker) settle(ctx context.Context, raw map[string]msgpack.RawMessage) {
	canons := map[string]*ledger.Canon{}
	for topic, one := range raw {
		canon, err := ledger.UnpackCanon(one)
		if err != nil {
			w.log.Error("the master's canon cannot be read: no verdict", "error", err)
			return
		}
		canons[topic] = canon
	}
	unfinished := w.hearOut(ctx, canons)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	verdict := w.ledger.Settle(canons)
	for range min(verdict.Lost, lossesShown) {
		w.failure("deliver", "lost")
	}
	w.report(false)
	w.tell("chat_settled", w.ledger.Run, map[string]any{
		"verdict": verdict, "unfinished": unfinished, "strays": w.ledger.Strays(canons), "evidence": w.evidence(),
	})
	// People stay connected until Locust stops them; a second look may come.
	w.draining = true
}

// hearOut waits for the readers. It returns how many were not connected at the
// end; those are owed only what they got past.
func (w *Worker) hearOut(ctx context.Context, canons map[string]*ledger.Canon) int {
	w.mu.Lock()
	waiting, deadline := slices.Clone(w.clients), time.Now().Add(w.options.drain())
	alive, hope := w.signOfLife(w.ledger.Run), w.hopeful()
	w.mu.Unlock()
	quietSince, delivered := time.Now(), -1
	for time.Now().Before(deadline) {
		w.mu.Lock()
		var accounts []*ledger.Reader
		for _, c := range waiting {
			if c.account != nil && c.connected.isSet() {
				accounts = append(accounts, c.account)
			}
		}
		behind := w.ledger.Behind(accounts, canons)
		connected := true
		waiting = slices.DeleteFunc(waiting, func(c *client) bool {
			return c.account != nil && c.connected.isSet() && !behind[c.account]
		})
		for _, c := range waiting {
			connected = connected && c.connected.isSet()
		}
		if w.ledger.Counts.Delivered != delivered {
			delivered, quietSince = w.ledger.Counts.Delivered, time.Now()
		}
		inVain := !hope.left(delivered)
		w.mu.Unlock()
		// Quiet, and everybody connected: what is missing will not come. It is
		// lost.
		if len(waiting) == 0 || inVain || connected && time.Since(quietSince) > quiet {
			break
		}
		alive()
		if !sleep(ctx, lookEvery) {
			return 0
		}
	}
	sleep(ctx, grace)
	w.mu.Lock()
	defer w.mu.Unlock()
	unfinished := 0
	for _, c := range w.clients {
		if !c.connected.isSet() {
			unfinished++
			if c.account != nil {
				c.account.Attached = false
			}
		}
	}
	return unfinished
}
