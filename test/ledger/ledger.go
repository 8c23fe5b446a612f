// Package ledger drives a chat with many clients and keeps the books: which
// posts were acknowledged, and what every client then saw of them. A client
// behaves as the contract asks of one: it posts with its own key and posts
// again until it is answered, resumes from its cursor, makes its next
// connection before it leaves one that said bye, and merges by id.
package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options of a crowd.
type Options struct {
	URL     string  // of the chat, http://host:port
	Clients int     // each has one connection
	Rate    float64 // posts per second, of all together
	Topics  int     // posts go to these in turn
	Follow  int     // topics that each client follows; 0: all
	Run     string  // part of all topics and keys, so that runs do not meet
	Log     func(format string, args ...any)
}

// posters is how many clients post, at the most.
const posters = 50

// Crowd is the clients of one run.
type Crowd struct {
	Options
	clients []*client
	cancel  context.CancelFunc // of the posts
	stop    context.CancelFunc // of the clients
	posting sync.WaitGroup
	running sync.WaitGroup

	mu     sync.Mutex
	acked  map[string][]string // topic → ids, as acknowledged
	report Report
	gaps   []time.Duration
	waits  []time.Duration // from a post to its acknowledgement, tries and all
}

// Report is what the books say. All but the last block must hold for each run;
// how much of the last is allowed depends on what was done to the chat.
type Report struct {
	Posts   int // begun
	Acked   int
	Unacked int // given up: never answered before the crowd was stopped

	Lost      int // acknowledged, and not seen by a client that follows the topic
	Doubled   int // seen twice in one connection
	Reordered int // seen after a later one of its topic in one connection
	Strange   int // seen, of this run, but with a key that nobody posted
	Unsaid    int // a cursor was not honoured (recovered: false)

	Refused     map[string]int // error answers to posts, by code; each was tried again
	Resent      int            // posts repeated because their connection ended
	Connections int            // all, the first of each client included
	Farewells   int            // connections left because of bye
	Closes      map[string]int // connections ended otherwise, by close code
	Dials       int            // connections that could not be made
	GapP50      time.Duration  // between two messages of a client
	GapP99      time.Duration
	GapMax      time.Duration
	AckP50      time.Duration
	AckP99      time.Duration
	AckMax      time.Duration
	Deliveries  int
}

// Reconnects per client.
func (r Report) Reconnects(clients int) float64 {
	return float64(r.Connections-clients) / float64(clients)
}

func (r Report) String() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.0f ms", d.Seconds()*1000) }
	return fmt.Sprintf("%d posts, %d acknowledged; %d deliveries: %d lost, %d doubled, %d reordered, %d strange; "+
		"%d connections (%d byes, closes %v, %d failed dials, %d cursors not honoured); refused %v, resent %d, unanswered %d; "+
		"gap p50 %s p99 %s max %s; ack p50 %s p99 %s max %s",
		r.Posts, r.Acked, r.Deliveries, r.Lost, r.Doubled, r.Reordered, r.Strange,
		r.Connections, r.Farewells, r.Closes, r.Dials, r.Unsaid, r.Refused, r.Resent, r.Unacked,
		ms(r.GapP50), ms(r.GapP99), ms(r.GapMax), ms(r.AckP50), ms(r.AckP99), ms(r.AckMax))
}

// Faults are the entries of the books that no event excuses.
func (r Report) Faults() error {
	if r.Acked == 0 || r.Deliveries == 0 {
		return fmt.Errorf("nothing happened: %v", r)
	}
	if r.Lost+r.Doubled+r.Reordered+r.Strange+r.Unacked+r.Unsaid > 0 {
		return fmt.Errorf("the books do not balance: %v", r)
	}
	return nil
}

// Start connects everybody and waits until all were welcomed; then it posts.
func Start(ctx context.Context, o Options) (*Crowd, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.Run == "" {
		o.Run = fmt.Sprintf("run-%08x", rand.Uint32())
	}
	ctx, stop := context.WithCancel(ctx)
	postCtx, cancel := context.WithCancel(ctx)
	c := &Crowd{Options: o, stop: stop, cancel: cancel, acked: map[string][]string{}}
	c.report.Refused, c.report.Closes = map[string]int{}, map[string]int{}
	for n := range o.Clients {
		c.clients = append(c.clients, newClient(c, n))
	}
	// Ten at a time: what is tested is not the storm of the first second.
	var welcomed sync.WaitGroup
	slots := make(chan struct{}, 10)
	for _, cl := range c.clients {
		welcomed.Add(1)
		slots <- struct{}{}
		c.running.Go(func() { cl.run(ctx, sync.OnceFunc(func() { <-slots; welcomed.Done() })) })
	}
	done := make(chan struct{})
	go func() { welcomed.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		c.stop()
		return nil, fmt.Errorf("not all clients were welcomed: %w", context.Cause(ctx))
	}
	many := min(posters, o.Clients)
	period := time.Duration(float64(many) / o.Rate * float64(time.Second))
	for n := range many {
		c.posting.Go(func() { c.clients[n].postAll(postCtx, period, time.Duration(n)*period/time.Duration(many)) })
	}
	return c, nil
}

// Servers says how many clients each server has.
func (c *Crowd) Servers() map[string]int {
	servers := map[string]int{}
	for _, cl := range c.clients {
		if s := cl.server(); s != "" {
			servers[s]++
		}
	}
	return servers
}

// Balance is the most that a server has, over the mean.
func Balance(servers map[string]int) float64 {
	most, all := 0, 0
	for _, n := range servers {
		most, all = max(most, n), all+n
	}
	if all == 0 {
		return 0
	}
	return float64(most) * float64(len(servers)) / float64(all)
}

// Acked is how many posts were acknowledged up to now.
func (c *Crowd) Acked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report.Acked
}

// Connections is how many there were up to now.
func (c *Crowd) Connections() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report.Connections
}

// Stop ends the posts, waits until each is answered and everybody has seen
// everything, or patience is over, and closes the books.
func (c *Crowd) Stop(patience time.Duration) Report {
	c.cancel()
	c.posting.Wait()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) && (c.pending() > 0 || c.lost() > 0) {
		time.Sleep(100 * time.Millisecond)
	}
	r := c.report
	r.Unacked = c.pending()
	r.Lost = c.lost()
	c.stop()
	c.running.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := r.Lost
	unacked := r.Unacked
	r = c.report
	r.Lost, r.Unacked = lost, unacked
	for _, cl := range c.clients {
		r.Strange += cl.strangers(c)
	}
	slices.Sort(c.gaps)
	slices.Sort(c.waits)
	r.GapP50, r.GapP99, r.GapMax = quantile(c.gaps, .5), quantile(c.gaps, .99), quantile(c.gaps, 1)
	r.AckP50, r.AckP99, r.AckMax = quantile(c.waits, .5), quantile(c.waits, .99), quantile(c.waits, 1)
	return r
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (c *Crowd) pending() int {
	n := 0
	for _, cl := range c.clients {
		n += cl.unanswered()
	}
	return n
}

// lost counts pairs of an acknowledged message and a client that ought to
// have seen it and did not.
func (c *Crowd) lost() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, cl := range c.clients {
		n += cl.misses(c.acked)
	}
	return n
}

func (c *Crowd) topic(n int) string { return fmt.Sprintf("%s-%d", c.Run, n%c.Topics) }

// ours says whether a key is of this run.
func (c *Crowd) ours(key string) bool { return strings.HasPrefix(key, c.Run+"-") }

func (c *Crowd) count(f func(*Report)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.report)
}
