package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/wire"
)

const (
	// ackTimeout is the time after which an unanswered post is tried again with
	// the same key.
	ackTimeout = 10 * time.Second
	// backoffFirst is the first pause between tries; it doubles, at most
	// backoffDoublings times.
	backoffFirst     = 250 * time.Millisecond
	backoffDoublings = 5
	// outboxLimit is how many posts may wait in one outbox; more are dropped,
	// counted, and make a run invalid.
	outboxLimit = 2_000
)

// due is a post that is due: in a topic, at an instant (µs).
type due struct {
	topic    string
	intended int64
}

// outbox is one poster's posts: sent one at a time, as a person does, and tried
// with the same key until they are answered. Every post that was due ends in
// exactly one of five ways, and is counted there: acknowledged, refused for
// good, unanswered, unsent, or dropped.
//
// Its fields are guarded by the worker's lock.
type outbox struct {
	client *client
	rng    *rand.Rand
	waits  []due
	// more is told that something waits.
	more chan struct{}
	// quiet is open while no post waits to be sent or answered.
	quiet gate
	// pending counts posts offered and not finished; unanswered says whether one
	// of them is on the wire.
	pending    int
	unanswered bool
	// key is what the answer that is waited for is about, answeredAt when the
	// latest answer came, µs.
	key        string
	answer     chan *wire.Frame
	answeredAt int64
}

func newOutbox(c *client, rng *rand.Rand) *outbox {
	o := &outbox{client: c, rng: rng, more: make(chan struct{}, 1), answer: make(chan *wire.Frame, 1)}
	o.quiet.set()
	return o
}

// offer gives it a post that is due; false when it is full. With the lock.
func (o *outbox) offer(topic string, intended int64) bool {
	if len(o.waits) >= outboxLimit {
		return false
	}
	w := o.client.w
	w.slot.Counters["due"]++
	w.inFlight(1)
	o.pending++
	o.quiet.clear()
	o.waits = append(o.waits, due{topic, intended})
	select {
	case o.more <- struct{}{}:
	default:
	}
	return true
}

// unsent counts posts that are due and were never put on the wire. With the
// lock.
func (o *outbox) unsent() int {
	if o.unanswered {
		return o.pending - 1
	}
	return o.pending
}

// takeBack: this person leaves; the posts that wait are for somebody else. With
// the lock.
func (o *outbox) takeBack() []due {
	waiting := o.waits
	o.waits = nil
	o.pending -= len(waiting)
	o.client.w.inFlight(-len(waiting))
	return waiting
}

// answered takes an answer that came at an instant of the lab's clock; whether
// it is to this poster's present post. With the lock.
func (o *outbox) answered(f *wire.Frame, at int64) bool {
	if o.key == "" || f.Key != o.key {
		return false
	}
	o.answeredAt = at
	o.tell(f)
	return true
}

// tell hands an answer over, nil for none that will come on this connection;
// the first one counts. With the lock.
func (o *outbox) tell(f *wire.Frame) {
	select {
	case o.answer <- f:
	default:
	}
}

// run sends until ctx ends or the books are closed.
func (o *outbox) run(ctx context.Context) {
	w := o.client.w
	for {
		w.mu.Lock()
		var next due
		found := len(o.waits) > 0
		if found {
			next, o.waits = o.waits[0], o.waits[1:]
		}
		w.mu.Unlock()
		if !found {
			select {
			case <-o.more:
			case <-ctx.Done():
				return
			}
			continue
		}
		if !o.post(ctx, next) {
			return // with this post in them
		}
		w.mu.Lock()
		w.inFlight(-1)
		o.pending--
		if len(o.waits) == 0 {
			o.quiet.set()
		}
		w.mu.Unlock()
	}
}

// post sends one, until it is acknowledged or refused for good; false when the
// books were closed before that, or ctx ended.
func (o *outbox) post(ctx context.Context, d due) bool {
	c, w := o.client, o.client.w
	// From when on nothing but this process keeps it from leaving; a post that
	// waits for a connection does so for the server's sake.
	free, promptly := d.intended, c.connected.isSet()
	if !c.connected.wait(ctx) {
		return false
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return false
	}
	free = max(free, o.answeredAt)
	book := w.ledger.Book(d.topic, c.name)
	now := w.clock.now()
	seq := book.Send(now)
	o.unanswered = true
	lag := max(0, now-d.intended)
	mark := ledger.Mark{Run: w.ledger.Run, Poster: c.name, Seq: seq, Intended: now - lag, Lag: lag}
	key := fmt.Sprintf("%s:%s:%d:%d", w.ledger.Run, c.name, c.topicNumber(d.topic), seq)
	frame := wire.Post(key, d.topic, posterName(c.name), posterEmail(c.name), mark.Content(w.options.MessageSize))
	w.slot.Counters["posts"]++
	w.mu.Unlock()
	for attempt := 0; ; attempt++ {
		left := func() {
			if promptly && attempt == 0 {
				w.ownLag(w.clock.now() - free)
			}
		}
		answer, alive := o.try(ctx, key, frame, left)
		if !alive {
			return false
		}
		pause := backoffFirst << min(attempt, backoffDoublings)
		w.mu.Lock()
		switch {
		case w.closed: // handed in already: what comes now changes nothing
			w.mu.Unlock()
			return false
		case answer == nil:
			pause = 0
		case answer.Type == wire.KindAck:
			book.Ack(seq, answer.ID)
			w.slot.Row("ack").Record(o.answeredAt - d.intended)
			w.slot.Counters["acks"]++
			o.unanswered = false
			w.mu.Unlock()
			return true
		default:
			w.failure("ack", "error "+answer.Code)
			if !answer.Retryable() {
				w.slot.Counters["posts refused"]++
				o.unanswered = false
				w.mu.Unlock()
				return true
			}
			if answer.RetryAfterMS > 0 {
				pause = time.Duration(answer.RetryAfterMS) * time.Millisecond
			}
			pause = time.Duration(float64(pause) * (0.5 + o.rng.Float64()))
		}
		w.slot.Counters["retries"]++
		w.mu.Unlock()
		if !sleep(ctx, pause) {
			return false
		}
	}
}

// try sends a post once, calls left when the kernel has it, and waits for its
// answer; nil when none came. alive is false when ctx ended.
func (o *outbox) try(ctx context.Context, key string, frame []byte, left func()) (answer *wire.Frame, alive bool) {
	c, w := o.client, o.client.w
	if !c.connected.wait(ctx) {
		return nil, false
	}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, true
	}
	// The answer of an earlier attempt is as good: it has the same key, so the
	// same id. One of an earlier post is not waited for any more.
	select {
	case <-o.answer:
	default:
	}
	o.key = key
	w.mu.Unlock()
	c.hurry(true)
	defer c.hurry(false)
	if err := c.write(frame); err != nil {
		// The reader sees the same end and counts it; wait for it to notice.
		return nil, sleep(ctx, 50*time.Millisecond)
	}
	left()
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	select {
	case answer = <-o.answer:
		return answer, true
	case <-timeout.C:
		w.mu.Lock()
		w.failure("ack", "no answer")
		w.mu.Unlock()
		return nil, true
	case <-ctx.Done():
		return nil, false
	}
}

// posterName and posterEmail are a poster's in the chat.
func posterName(name string) string  { return "Load " + name }
func posterEmail(name string) string { return name + "@load.example" }
