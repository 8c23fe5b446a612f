package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// dialWait and writeWait bound one handshake and one frame.
	dialWait, writeWait = 5 * time.Second, 5 * time.Second
	// silence after which a client gives its connection up: on all of them
	// there is news several times a second, but not while the log is away.
	silence = 8 * time.Second
	// lingering is how long a left connection may still answer posts.
	lingering = 3 * time.Second
	// Between tries to connect.
	backoffFirst, backoffMost = 100 * time.Millisecond, 2 * time.Second
	// readLimit of a frame: a welcome may carry much.
	readLimit = 64 << 20
)

// client is one member of the crowd. One connection at a time is the one that
// counts; one that was left may still answer posts.
type client struct {
	crowd   *Crowd
	n       int
	follows map[string]bool // nil: all topics of the run

	mu      sync.Mutex
	current *link
	cursor  string
	seen    map[string]string // id → key
	lastAt  time.Time
	pending map[string]*post
	serial  int
}

// post is one that was not answered yet.
type post struct {
	key, topic string
	begun      time.Time
	due        time.Time // when to try again after an error, else zero
	on         *link     // where it was sent last
}

// link is one connection.
type link struct {
	conn   *websocket.Conn
	server string
	last   map[string]string // topic → greatest id on this connection
	left   bool              // another one has taken over
}

func newClient(c *Crowd, n int) *client {
	cl := &client{crowd: c, n: n, seen: map[string]string{}, pending: map[string]*post{}}
	if c.Follow > 0 && c.Follow < c.Topics {
		cl.follows = map[string]bool{}
		for i := range c.Follow {
			cl.follows[c.topic(n+i*(c.Topics/c.Follow))] = true
		}
	}
	return cl
}

// frame is every field of every server frame that matters here.
type frame struct {
	Type      string    `json:"type"`
	Server    string    `json:"server"`
	Cursor    string    `json:"cursor"`
	Recovered bool      `json:"recovered"`
	Messages  []message `json:"messages"`
	Key       string    `json:"key"`
	ID        string    `json:"id"`
	Code      string    `json:"code"`
	RetryMS   int       `json:"retry_after_ms"`
}

type message struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	Topic string `json:"topic"`
}

// run keeps the client connected until ctx ends. ready is called at the first
// welcome.
func (cl *client) run(ctx context.Context, ready func()) {
	defer ready()
	var links sync.WaitGroup
	defer links.Wait()
	backoff := backoffFirst
	for ctx.Err() == nil {
		l, err := cl.connect(ctx)
		if err != nil {
			if ctx.Err() == nil {
				cl.crowd.count(func(r *Report) { r.Dials++ })
			}
			pause(ctx, time.Duration(rand.Int64N(int64(backoff)))+backoff/2)
			backoff = min(2*backoff, backoffMost)
			continue
		}
		backoff = backoffFirst
		ready()
		cl.resend(ctx, l)
		over := make(chan struct{}) // this link counts no more
		links.Go(func() { cl.read(ctx, l, sync.OnceFunc(func() { close(over) })) })
		<-over
	}
}

// connect makes a connection, says hello, and takes it as the current one
// when the welcome has come. What was missed comes with it.
func (cl *client) connect(ctx context.Context) (*link, error) {
	dialing, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	conn, _, err := websocket.Dial(dialing, strings.Replace(cl.crowd.URL, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(readLimit)
	l := &link{conn: conn, last: map[string]string{}}
	cl.mu.Lock()
	hello := map[string]any{"type": "hello", "limit": 0}
	resumed := cl.cursor != ""
	if resumed {
		hello["cursor"] = cl.cursor
	}
	cl.mu.Unlock()
	if cl.follows != nil {
		var topics []string
		for t := range cl.follows {
			topics = append(topics, t)
		}
		hello["topics"] = topics
	}
	if err := send(dialing, conn, hello); err != nil {
		conn.CloseNow()
		return nil, err
	}
	for {
		f, err := receive(dialing, conn)
		if err != nil {
			conn.CloseNow()
			return nil, err
		}
		if f.Type != "welcome" {
			continue
		}
		l.server = f.Server
		cl.crowd.count(func(r *Report) {
			r.Connections++
			if resumed && !f.Recovered {
				r.Unsaid++
			}
		})
		cl.mu.Lock()
		if cl.current != nil {
			cl.current.left = true
		}
		cl.current = l
		cl.mu.Unlock()
		cl.take(l, f)
		return l, nil
	}
}

// read takes what comes on a link until it ends; over is called when another
// link is needed.
func (cl *client) read(ctx context.Context, l *link, over func()) {
	defer over()
	defer l.conn.CloseNow()
	for {
		reading, cancel := context.WithTimeout(ctx, silence)
		f, err := receive(reading, l.conn)
		cancel()
		if err != nil {
			cl.mu.Lock()
			left := l.left
			if cl.current == l {
				cl.current = nil
			}
			cl.mu.Unlock()
			if ctx.Err() == nil && !left {
				why := "silence"
				if code := websocket.CloseStatus(err); code != -1 {
					why = strconv.Itoa(int(code))
				} else if !errors.Is(err, context.DeadlineExceeded) {
					why = "cut"
				}
				cl.crowd.count(func(r *Report) { r.Closes[why]++ })
			}
			return
		}
		switch f.Type {
		case "welcome", "messages", "presence":
			cl.take(l, f)
		case "ack":
			cl.answered(f)
		case "error":
			cl.refused(f)
		case "bye":
			cl.crowd.count(func(r *Report) { r.Farewells++ })
			over() // run makes the next link; this one is read until it is gone
			time.AfterFunc(lingering, func() { l.conn.Close(websocket.StatusNormalClosure, "") })
		}
	}
}

// take enters messages into the books. Of a link that was left nothing is
// taken: the one that took over has it all.
func (cl *client) take(l *link, f frame) {
	now := time.Now()
	var doubled, reordered, fresh int
	var gaps []time.Duration
	cl.mu.Lock()
	for _, m := range f.Messages {
		switch last := l.last[m.Topic]; {
		case m.ID == last:
			doubled++
		case m.ID < last:
			reordered++
		default:
			l.last[m.Topic] = m.ID
		}
		if l.left || !cl.crowd.ours(m.Key) {
			continue
		}
		if _, known := cl.seen[m.ID]; known {
			continue // it came by the link before this one too
		}
		fresh++
		cl.seen[m.ID] = m.Key
		if !cl.lastAt.IsZero() {
			gaps = append(gaps, now.Sub(cl.lastAt))
		}
		cl.lastAt = now
	}
	if f.Cursor != "" && !l.left {
		cl.cursor = f.Cursor
	}
	cl.mu.Unlock()
	if len(f.Messages) == 0 {
		return
	}
	c := cl.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Doubled += doubled
	c.report.Reordered += reordered
	c.report.Deliveries += fresh
	c.gaps = append(c.gaps, gaps...)
}

// postAll posts until ctx ends, once a period, the first after offset. What
// an error or a lost connection left unanswered it tries again.
func (cl *client) postAll(ctx context.Context, period, offset time.Duration) {
	pause(ctx, offset)
	tick := time.NewTicker(period)
	defer tick.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			// The last ones are still owed an answer.
			for end := time.Now().Add(20 * time.Second); cl.unanswered() > 0 && time.Now().Before(end); {
				cl.retry(context.WithoutCancel(ctx))
				time.Sleep(100 * time.Millisecond)
			}
			return
		case <-again.C:
			cl.retry(ctx)
		case <-tick.C:
			cl.mu.Lock()
			cl.serial++
			p := &post{
				key:   fmt.Sprintf("%s-%d-%d", cl.crowd.Run, cl.n, cl.serial),
				topic: cl.crowd.topic(cl.n + cl.serial*posters), begun: time.Now(), on: cl.current,
			}
			cl.pending[p.key] = p
			cl.mu.Unlock()
			cl.crowd.count(func(r *Report) { r.Posts++ })
			if p.on != nil {
				cl.send(ctx, p.on, p)
			}
		}
	}
}

// retry posts again what was refused a while ago.
func (cl *client) retry(ctx context.Context) {
	now := time.Now()
	cl.mu.Lock()
	l := cl.current
	var due []*post
	for _, p := range cl.pending {
		if l != nil && !p.due.IsZero() && now.After(p.due) {
			p.due, p.on = time.Time{}, l
			due = append(due, p)
		}
	}
	cl.mu.Unlock()
	for _, p := range due {
		cl.send(ctx, l, p)
	}
}

// resend posts again on a new link what the links before have not answered:
// their answers may never come.
func (cl *client) resend(ctx context.Context, l *link) {
	cl.mu.Lock()
	var again []*post
	for _, p := range cl.pending {
		if p.on != l {
			p.on, p.due = l, time.Time{}
			again = append(again, p)
		}
	}
	cl.mu.Unlock()
	cl.crowd.count(func(r *Report) { r.Resent += len(again) })
	for _, p := range again {
		cl.send(ctx, l, p)
	}
}

func (cl *client) send(ctx context.Context, l *link, p *post) {
	// Not ended by the end of the posts: what is begun is sent, and a write cut
	// short would cost the connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWait)
	defer cancel()
	// A failure is the reader's to notice.
	_ = send(ctx, l.conn, map[string]any{
		"type": "post", "key": p.key, "topic": p.topic, "name": "Crowd", "email": "crowd@example.org",
		"content": "message " + p.key + strings.Repeat(" and so on", 12),
	})
}

func (cl *client) answered(f frame) {
	cl.mu.Lock()
	p := cl.pending[f.Key]
	delete(cl.pending, f.Key)
	cl.mu.Unlock()
	if p == nil {
		return // answered twice: by two links
	}
	c := cl.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Acked++
	c.acked[p.topic] = append(c.acked[p.topic], f.ID)
	c.waits = append(c.waits, time.Since(p.begun))
}

func (cl *client) refused(f frame) {
	cl.mu.Lock()
	if p := cl.pending[f.Key]; p != nil {
		p.due = time.Now().Add(max(100*time.Millisecond, time.Duration(f.RetryMS)*time.Millisecond))
	}
	cl.mu.Unlock()
	cl.crowd.count(func(r *Report) { r.Refused[f.Code]++ })
}

func (cl *client) unanswered() int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return len(cl.pending)
}

func (cl *client) server() string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.current == nil {
		return ""
	}
	return cl.current.server
}

// misses counts what of the acknowledged the client ought to have seen.
func (cl *client) misses(acked map[string][]string) int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	n := 0
	for topic, ids := range acked {
		if cl.follows != nil && !cl.follows[topic] {
			continue
		}
		for _, id := range ids {
			if _, ok := cl.seen[id]; !ok {
				n++
			}
		}
	}
	return n
}

// strangers counts messages with a key of this run that nobody posted, and
// keys that were seen under two ids.
func (cl *client) strangers(c *Crowd) int {
	n := 0
	first := map[string]bool{}
	for _, key := range cl.seen {
		part := strings.Split(strings.TrimPrefix(key, c.Run+"-"), "-")
		from, err := strconv.Atoi(part[0])
		if err != nil || len(part) != 2 || from >= len(c.clients) || first[key] {
			n++
			continue
		}
		first[key] = true
		serial, err := strconv.Atoi(part[1])
		if err != nil || serial < 1 || serial > c.clients[from].serial {
			n++
		}
	}
	return n
}

func send(ctx context.Context, conn *websocket.Conn, frame map[string]any) error {
	text, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	return conn.Write(ctx, websocket.MessageText, text)
}

func receive(ctx context.Context, conn *websocket.Conn) (f frame, err error) {
	_, text, err := conn.Read(ctx)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("decode frame: %w", err)
	}
	return f, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
