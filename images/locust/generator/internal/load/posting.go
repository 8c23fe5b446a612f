package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// drainLookEvery is the most time until it is looked whether posting is over.
const drainLookEvery = 200 * time.Millisecond

// posting is who posts when: this process's share of the rate, spread over its
// posters. Guarded by the worker's lock.
type posting struct {
	w        *Worker
	rng      *rand.Rand
	arrivals arrivals
	// changed tells run that the rate was changed: the next arrival may come
	// earlier than was waited for.
	changed chan struct{}
	posters []*client
	// homeless and dropped count posts due when nobody could take them, and with
	// a full outbox; abandoned those on the wire, not answered, of posters that
	// left.
	homeless, dropped, abandoned int
}

func newPosting(w *Worker, seed string) *posting {
	return &posting{
		w: w, rng: random("%s/schedule", seed), arrivals: arrivals{rng: random("%s/arrivals", seed)},
		changed: make(chan struct{}, 1),
	}
}

// setRate asks for so many posts a second of this process, from now on. With the
// lock.
func (p *posting) setRate(rate float64) {
	p.arrivals.setRate(rate, time.Now())
	select {
	case p.changed <- struct{}{}:
	default: // it is told already
	}
}

// run is the open model: at each arrival some poster gets a post, whatever
// became of earlier ones; until ctx ends.
func (p *posting) run(ctx context.Context) {
	w := p.w
	for {
		// Now and then it is looked whether posting is over.
		wait := drainLookEvery
		w.mu.Lock()
		if !p.arrivals.next.IsZero() {
			wait = min(wait, time.Until(p.arrivals.next))
		}
		w.mu.Unlock()
		if !p.pause(ctx, wait) {
			return
		}
		w.mu.Lock()
		if w.draining {
			w.mu.Unlock()
			return
		}
		now := time.Now()
		for _, instant := range p.arrivals.due(now) {
			late := now.Sub(instant).Microseconds()
			w.vitals.scheduleAll.Record(late)
			if !w.ramping {
				w.vitals.schedule.Record(late)
			}
			w.slot.Row("schedule_lag").Record(late)
			w.slot.Counters["arrivals"]++
			// A probe's posts are timed from when they were handed over: how late that
			// is would be this process's share of their times.
			if w.stamping() {
				late = 0
			}
			p.assign(w.clock.now()-late, "")
		}
		w.mu.Unlock()
	}
}

// pause waits, at most until the rate is changed; false when ctx ended.
func (p *posting) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// assign gives a post that was due at intended to some poster; in topic, if one
// is named. With the lock.
func (p *posting) assign(intended int64, topic string) {
	able := p.posters
	if topic != "" {
		able = nil
		for _, one := range p.posters {
			if one.topicNumber(topic) >= 0 {
				able = append(able, one)
			}
		}
	}
	if len(able) == 0 {
		p.homeless++
		p.w.slot.Counters["posts without poster"]++
		return
	}
	poster := able[p.rng.IntN(len(able))]
	if topic == "" {
		topic = poster.topics[p.rng.IntN(len(poster.topics))]
	}
	if !poster.outbox.offer(topic, intended) {
		p.dropped++
		p.w.slot.Counters["posts dropped"]++
	}
}

// part: a poster leaves; what waits in its outbox goes to others. With the lock.
func (p *posting) part(c *client) {
	i := slices.Index(p.posters, c)
	if i < 0 {
		return
	}
	p.posters = slices.Delete(p.posters, i, i+1)
	if c.outbox.unanswered {
		p.abandoned++
	}
	if p.w.closed {
		return
	}
	for _, d := range c.outbox.takeBack() {
		p.assign(d.intended, d.topic)
	}
}

// idle says whether no post waits to be sent or answered. With the lock.
func (p *posting) idle() bool {
	for _, one := range p.posters {
		if !one.outbox.quiet.isSet() {
			return false
		}
	}
	return true
}
