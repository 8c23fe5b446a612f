package load

import (
	"context"
	"sync"
	"time"
)

// gate is open or shut, and can be waited for. The zero value is shut. Safe for
// concurrent use.
type gate struct {
	mu   sync.Mutex
	open bool
	// waiters is closed when the gate opens; nil while nobody waits.
	waiters chan struct{}
}

// set opens the gate.
func (g *gate) set() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	if g.waiters != nil {
		close(g.waiters)
		g.waiters = nil
	}
}

// clear shuts it.
func (g *gate) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
}

// isSet says whether it is open.
func (g *gate) isSet() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// wait until it is open; false when ctx ended first.
func (g *gate) wait(ctx context.Context) bool {
	for {
		g.mu.Lock()
		if g.open {
			g.mu.Unlock()
			return true
		}
		if g.waiters == nil {
			g.waiters = make(chan struct{})
		}
		waiters := g.waiters
		g.mu.Unlock()
		select {
		case <-waiters:
		case <-ctx.Done():
			return false
		}
	}
}

// waitFor is wait with a time limit.
func (g *gate) waitFor(ctx context.Context, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return g.wait(ctx)
}
