package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// postLimits limits HTTP posts by the sender's email address. The network
// address says nothing: behind a node port or a proxy everybody has the same.
type postLimits struct {
	rate  rate.Limit
	burst int

	mu      sync.Mutex
	senders map[string]*rate.Limiter
}

// maxSenders is when those who have their whole burst again are forgotten.
const maxSenders = 10_000

func newPostLimits(perSecond float64, burst int) *postLimits {
	return &postLimits{rate: rate.Limit(perSecond), burst: max(1, burst), senders: map[string]*rate.Limiter{}}
}

// take counts a post, or says how long the sender has to wait.
func (p *postLimits) take(sender string) time.Duration {
	if p.rate <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.senders[sender]
	if l == nil {
		if len(p.senders) >= maxSenders {
			p.forget()
		}
		l = rate.NewLimiter(p.rate, p.burst)
		p.senders[sender] = l
	}
	r := l.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}

func (p *postLimits) forget() {
	for sender, l := range p.senders {
		if l.Tokens() >= float64(p.burst) {
			delete(p.senders, sender)
		}
	}
	if len(p.senders) >= maxSenders { // a flood of names: start afresh rather than grow
		clear(p.senders)
	}
}
