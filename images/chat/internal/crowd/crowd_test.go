package crowd

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// guest is a member that notes what it is told, and leaves some time after its
// bye.
type guest struct {
	leave time.Duration // 0: stays until it is closed

	mu     sync.Mutex
	told   []string
	bye    time.Time
	closed bool
	asked  int // calls of Ended
}

func (g *guest) TellPresence(f *wire.Frame) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = append(g.told, string(f.Text))
}

func (g *guest) Bye(*wire.Frame) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bye = time.Now()
}

func (g *guest) Close(wire.CloseCode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *guest) Ended() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	return g.closed || g.leave > 0 && !g.bye.IsZero() && time.Since(g.bye) >= g.leave
}

// TestDismissLooksAtEachMemberAFewTimes: what a drain costs grows with the
// number of members, not with its square.
func TestDismissLooksAtEachMemberAFewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const spread, leave = 10 * time.Second, 5 * time.Second
		members := NewMembers()
		guests := make([]*guest, 20_000)
		for i := range guests {
			guests[i] = &guest{}
			if i%2 == 0 {
				guests[i].leave = time.Second
			}
			members.Enter(guests[i])
		}
		began := time.Now()
		members.Dismiss(context.Background(), spread, leave)
		if took := time.Since(began); took > spread+leave {
			t.Errorf("took %v; want at most %v", took, spread+leave)
		}
		looks, closed := 0, 0
		for _, g := range guests {
			looks += g.asked
			if g.closed {
				closed++
			}
			if g.bye.IsZero() {
				t.Fatal("a member was sent no bye")
			}
		}
		if closed != len(guests)/2 {
			t.Errorf("%d were closed; want those who stayed, %d", closed, len(guests)/2)
		}
		// After the last bye, each tick looks at all that are still there.
		if most := len(guests) * int(2+leave/drainTick); looks > most {
			t.Errorf("%d looks at %d members; want at most %d", looks, len(guests), most)
		}
	})
}

// deafOthers is other servers that cannot be reached.
type deafOthers struct{ calls int }

func (d *deafOthers) Tell(ctx context.Context, _ string, _ chat.Here) (chat.Crowd, error) {
	d.calls++
	<-ctx.Done()
	return chat.Crowd{}, context.Cause(ctx)
}

// TestPresenceWithoutTheOthers: who is here is told all the same, and leaving
// does not wait for long.
func TestPresenceWithoutTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := NewMembers()
		others := &deafOthers{}
		p := NewPresence("chat-0", others, members, NewMetrics(prometheus.NewRegistry()))
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { p.Run(ctx) })
		var one guest
		place := members.Enter(&one)
		members.Greet(place, "")
		p.Inform(place)
		time.Sleep(2 * time.Second)
		for range 2 {
			members.Greet(members.Enter(&guest{}), "")
		}
		time.Sleep(10 * time.Second)
		cancel()
		running.Wait()
		if n := len(one.told); n == 0 || one.told[n-1] != `{"type":"presence","online":3,"guests":3,"users":0}` {
			t.Errorf("told %q; want 3 online in the end", one.told)
		}
		began := time.Now()
		p.Leave(context.Background())
		if took := time.Since(began); took > presenceWait {
			t.Errorf("leaving took %v; want at most %v", took, presenceWait)
		}
		if p.Online().People != 3 || others.calls < 2 {
			t.Errorf("%d online, %d calls", p.Online(), others.calls)
		}
	})
}
