package live

import (
	"context"
	"time"

	"chatapp/chat/internal/wire"
)

// A connection stays where it was made, so servers that come later get new
// clients only. A server with clearly more clients than the mean therefore
// asks some of them to connect again: wherever the load balancer sends them.
const (
	// balancePeriod is how often a server looks, and balanceLooks how often it
	// must have seen a surplus before it does something about it: others' numbers
	// are a second or two old, and while people come in they are too small.
	balancePeriod = time.Second
	balanceLooks  = 3
	// balanceLeast is the surplus that is worth anybody's while. Chance alone
	// makes a surplus of about the root of the mean.
	balanceLeast = 20
	// balanceShare: that part of the surplus goes in one period, so that half
	// of it is gone in about 6 s where all that leave land elsewhere.
	balanceShare = 8
	// balanceMost go in one period: others have to take them in, and the log
	// has to tell them what they missed.
	balanceMost = 50
)

// surplus is how many clients a server with here of them asks to move in one
// period, when people are spread over so many servers.
func surplus(here, people, servers int, above float64) int {
	if servers < 2 || above <= 0 {
		return 0
	}
	mean := float64(people) / float64(servers)
	over := float64(here) - mean
	if over < balanceLeast || float64(here) <= above*mean {
		return 0
	}
	return min(balanceMost, 1+int(over)/balanceShare)
}

// balance moves surplus clients away until ctx ends. Like in a drain they are
// sent bye, and delivered to for DrainLeave. A server that leaves has others'
// good in mind already and moves nobody.
func (l *Sessions) balance(ctx context.Context) {
	bye := &frame{text: wire.AppendBye(nil, "another server has more room", l.DrainLeave)}
	var told []farewell
	for looks := 1; pause(ctx, balancePeriod); looks++ {
		told = l.dismiss(told)
		here, people, servers := l.presence.crowd()
		n := surplus(here-len(told), people, servers, l.BalanceAbove)
		if n == 0 {
			looks = 0
		}
		if looks < balanceLooks {
			continue
		}
		for _, s := range l.move(n) {
			l.metrics.moved.Inc()
			s.out.push(bye)
			told = append(told, farewell{s, time.Now().Add(l.DrainLeave)})
		}
	}
}

// move gives n sessions that were not asked to move before, and notes that
// they are now.
func (l *Sessions) move(n int) []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	var chosen []*session
	if l.stopping {
		return nil
	}
	for s := range l.sessions { // in no order: every client's turn is as likely
		if len(chosen) == n {
			break
		}
		if s.welcomed && !s.moved {
			s.moved = true
			chosen = append(chosen, s)
		}
	}
	return chosen
}
