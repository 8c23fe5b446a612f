package crowd

import (
	"context"
	"time"

	"chatapp/chat/internal/clock"
)

// Balance moves members away while this server has clearly more people than the
// mean. A connection stays where it was made, so servers that come later get
// new clients only. A member that is moved goes where the load balancer sends
// it.
type Balance struct {
	Members  *Members
	Presence *Presence
	Metrics  *Metrics
	Above    float64       // times the mean of all servers, above which members are moved; 0: never
	Leave    time.Duration // from a member's bye to its close
}

const (
	// balancePeriod is how often a server looks. It acts when it has seen a
	// surplus balanceLooks times: the numbers of others are a second or two
	// old, and too small while people come in.
	balancePeriod = time.Second
	balanceLooks  = 3
	// balanceLeast is the least surplus that is acted on. Chance alone makes a
	// surplus of about the root of the mean.
	balanceLeast = 20
	// balanceShare: that part of the surplus goes in one period, so that half
	// of it is gone in about 6 s where all that leave land elsewhere.
	balanceShare = 8
	// balanceMost go in one period at the most: the other servers have to
	// accept them, and the log has to give them what they missed.
	balanceMost = 50
)

// surplus is how many members a server with here of them asks to move in one
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

// Run moves surplus members away until ctx ends. As when this server leaves,
// they are sent bye, and delivered to for Leave. A server that leaves moves
// nobody.
func (b *Balance) Run(ctx context.Context) {
	bye := byeFrame("another server has more room", b.Leave)
	var sent farewells
	for looks := 1; clock.Pause(ctx, balancePeriod); looks++ {
		sent.closeDue()
		here, crowd := b.Presence.asked()
		n := surplus(here-sent.still(), crowd.People, crowd.Servers, b.Above)
		if n == 0 {
			looks = 0
		}
		if looks < balanceLooks {
			continue
		}
		for _, m := range b.Members.move(n) {
			b.Metrics.moved.Inc()
			m.Bye(bye)
			sent.add(m, b.Leave)
		}
	}
}
