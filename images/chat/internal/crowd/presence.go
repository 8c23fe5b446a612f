package crowd

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
	"chatapp/chat/internal/wire"
)

// Presence counts the servers, and the people connected to all of them. It
// tells the others who is here, learns the sum, and tells every member when the
// sum changes. It is safe for use by many goroutines.
type Presence struct {
	server  string // of this process alone, however servers are named
	others  chat.Presence
	members *Members
	metrics *Metrics

	mu    sync.Mutex
	crowd chat.Crowd // over all servers, when last asked
	here  Online     // of those people, what this server had said
}

// presenceWait bounds one question to the others.
const presenceWait = time.Second

// NewPresence makes the presence of the named server.
func NewPresence(server string, others chat.Presence, members *Members, metrics *Metrics) *Presence {
	return &Presence{server: server + "/" + rand.Text(), others: others, members: members, metrics: metrics}
}

// Run asks at every change, at most once in presenceGap, and at least once in
// chat.PresencePeriod so that this server goes on counting, until ctx ends.
func (p *Presence) Run(ctx context.Context) {
	period := time.NewTicker(chat.PresencePeriod)
	defer period.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.members.changed:
		case <-period.C:
		}
		p.ask(ctx)
		online := p.Online()
		p.metrics.online.Set(float64(online.People))
		due, later := p.members.untold(online)
		f := Frame(online, "")
		for _, m := range due {
			m.TellPresence(f)
		}
		if later {
			p.members.change()
		}
		if later || len(due) > 0 {
			clock.Pause(ctx, presenceGap)
		}
	}
}

// ask tells the others how many are here, and learns the sum. Without an answer
// it keeps the sum of the last one.
func (p *Presence) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, presenceWait)
	defer cancel()
	here, users := p.members.report(), p.members.here().Users
	crowd, err := p.others.Tell(ctx, p.server, here)
	p.members.reported(here, err, crowd.Stale)
	if err != nil {
		p.metrics.errors.Inc()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowd, p.here = crowd, Online{here.People, here.Guests, users}
}

// Leave makes the others forget this server at once. It takes at most
// presenceWait.
func (p *Presence) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, presenceWait)
	defer cancel()
	if _, err := p.others.Tell(ctx, p.server, chat.Here{}); err != nil {
		p.metrics.errors.Inc()
	}
}

// asked gives how many people there were here and over all servers, and how
// many servers that take people, when the others were last asked.
func (p *Presence) asked() (here int, crowd chat.Crowd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.here.People, p.crowd
}

// Online is who is connected to any server: those that the others had when last
// asked, and those that are here now. An account may be both here and there, so
// Users changes only with the next answer.
func (p *Presence) Online() Online {
	now := p.members.here()
	p.mu.Lock()
	defer p.mu.Unlock()
	return Online{
		People: max(now.People, p.crowd.People-p.here.People+now.People),
		Guests: max(now.Guests, p.crowd.Guests-p.here.Guests+now.Guests),
		Users:  max(now.Users, p.crowd.Users),
	}
}

// Inform tells a member the numbers online, now and whenever they change.
func (p *Presence) Inform(place *Place) {
	online := p.Online()
	p.members.inform(place, online)
	place.member.TellPresence(Frame(online, ""))
}

// Frame makes a presence frame; cursor may be empty.
func Frame(online Online, cursor string) *wire.Frame {
	return &wire.Frame{Text: wire.AppendPresence(nil, online.People, online.Guests, online.Users, cursor)}
}
