package live

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// presence counts the people connected over all servers, and the servers: it
// tells the log how many are here, learns the sum, and tells every session
// when that changed.
type presence struct {
	server  string // of this process alone, however servers are named
	log     chat.Presence
	live    *Sessions
	metrics *Metrics
	poke    chan struct{} // capacity 1: somebody came or went

	mu      sync.Mutex
	total   int // people over all servers, when last asked
	mine    int // of those, what this server had said
	servers int // that take clients, when last asked
}

const (
	// presenceGap is the least time between two presence frames to a client.
	presenceGap = time.Second
	// presenceWait bounds one question to the log.
	presenceWait = time.Second
	// cursorPeriod is how often a session whose topics may be silent is given
	// a new cursor, so that retention does not overtake the one it has.
	cursorPeriod = time.Minute
)

func newPresence(server string, log chat.Presence, live *Sessions, metrics *Metrics) *presence {
	return &presence{server: server + "/" + rand.Text(), log: log, live: live, metrics: metrics, poke: make(chan struct{}, 1)}
}

// changed says that somebody came or went. It never blocks.
func (p *presence) changed() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// run asks at every change, at most once in presenceGap, and at least once in
// chat.PresencePeriod so that this server goes on counting.
func (p *presence) run(ctx context.Context) {
	period := time.NewTicker(chat.PresencePeriod)
	defer period.Stop()
	cursors := time.NewTicker(cursorPeriod)
	defer cursors.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-cursors.C:
			p.live.hub.refreshCursors(p.online())
			continue
		case <-p.poke:
		case <-period.C:
		}
		p.ask(ctx)
		online := p.online()
		p.metrics.online.Set(float64(online))
		due, later := p.live.untold(online)
		f := presenceFrame(online)
		for _, s := range due {
			s.out.pushPresence(f)
		}
		if later {
			p.changed()
		}
		if later || len(due) > 0 {
			pause(ctx, presenceGap)
		}
	}
}

// ask tells the log how many are here. Without an answer, what the others had
// last stays.
func (p *presence) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, presenceWait)
	defer cancel()
	mine, open := p.live.crowd()
	crowd, err := p.log.Tell(ctx, p.server, chat.Here{People: mine, Open: open})
	if err != nil {
		p.metrics.presenceErrors.Inc()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total, p.servers = crowd.People, crowd.Servers
	p.mine = mine
}

// crowd is how many people there were here and over all servers, and how many
// servers that take clients, when the log was last asked.
func (p *presence) crowd() (here, people, servers int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mine, p.total, p.servers
}

// online is the sum over all servers: what the others had when last asked,
// and what is here now.
func (p *presence) online() int {
	here := p.live.Online()
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(here, p.total-p.mine+here)
}

func presenceFrame(online int) *frame {
	return &frame{text: wire.AppendPresence(nil, online, "")}
}

// leave makes the others forget this server at once.
func (p *presence) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), presenceWait)
	defer cancel()
	if _, err := p.log.Tell(ctx, p.server, chat.Here{}); err != nil {
		p.metrics.presenceErrors.Inc()
	}
}
