package load

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"chatapp/generator/internal/locust"
	"chatapp/generator/internal/wire"
)

// The kinds of people, under the names of their classes in chatload/users.py,
// where new kinds are tried out first.
const (
	reader     = "Reader"
	poster     = "Poster"
	lurker     = "Lurker"
	churner    = "Churner"
	slowReader = "SlowReader"
	probe      = "xProbe"
)

// firstWelcome is how long a user waits for its first welcome before it starts
// its round all the same.
const firstWelcome = 30 * time.Second

// assets that a page names: scripts, styles, icons.
var assets = regexp.MustCompile(`(?:src|href)=["']?([^"'\s>]+\.(?:js|css|svg|png|ico|webmanifest))`)

// person is a simulated person: somebody who opens the page, and then does what
// its kind does. It belongs to its own goroutine.
type person struct {
	w      *Worker
	kind   string
	name   string
	rng    *rand.Rand
	topics []string
	base   string
	// chat is its connection, if it has one.
	chat   *client
	cancel context.CancelFunc
	done   chan struct{}
}

// Start starts a user of a kind. Implements locust.Load.
func (w *Worker) Start(kind string) locust.User {
	ctx, cancel := context.WithCancel(context.Background())
	p := &person{w: w, kind: kind, cancel: cancel, done: make(chan struct{})}
	go p.live(ctx)
	return p
}

// Stop makes the person leave. Implements locust.User.
func (p *person) Stop() {
	p.cancel()
	<-p.done
}

// live is a person's whole stay.
func (p *person) live(ctx context.Context) {
	defer close(p.done)
	defer p.leave()
	defer func() {
		if trouble := recover(); trouble != nil {
			p.w.master.Send("exception", map[string]any{"msg": fmt.Sprint(trouble), "traceback": string(debug.Stack())})
		}
	}()
	var err error
	if p.name, p.rng, p.topics, err = p.w.newcomer(ctx, p.kind); err != nil {
		if ctx.Err() == nil {
			p.w.master.Send("exception", map[string]any{"msg": err.Error(), "traceback": ""})
		}
		return
	}
	p.base = p.w.target(p.rng, "")
	p.arrive(ctx)
	for ctx.Err() == nil {
		p.round(ctx)
	}
}

// arrive: the page, then the socket, then perhaps a look back.
func (p *person) arrive(ctx context.Context) {
	options := p.w.settings()
	if options.VisitPage {
		p.visitPage(ctx)
	}
	if p.kind == lurker {
		return
	}
	p.chat = newClient(p.w, p.name, p.topics, p.kind == poster, p.kind == slowReader)
	p.w.join(p.chat)
	p.chat.start(ctx)
	p.chat.connected.waitFor(ctx, firstWelcome)
	if p.rng.Float64() < options.ReadBackShare {
		topic := p.topics[p.rng.IntN(len(p.topics))]
		page := p.chat.askHistory(ctx, topic, "", 50)
		if page != nil && len(page.Messages) > 0 && page.More {
			p.chat.askHistory(ctx, topic, page.Messages[0].ID, 50)
		}
	}
}

// leave: the socket closes, and what waits to be posted goes to others.
func (p *person) leave() {
	if p.chat != nil {
		p.chat.stop()
		p.w.part(p.chat)
	}
}

// sleep does nothing for a random time of this mean, seconds: nobody is in
// phase.
func (p *person) sleep(ctx context.Context, mean float64) bool {
	return sleep(ctx, duration(p.rng.ExpFloat64()*mean))
}

// round is what a kind does, again and again.
func (p *person) round(ctx context.Context) {
	options := p.w.settings()
	switch p.kind {
	case poster:
		p.converse(ctx, options)
	case lurker:
		p.pageBack(ctx, options)
	case churner:
		// Stay, go, come back.
		if p.sleep(ctx, options.ChurnStay) && !p.w.isDraining() {
			p.chat.goAway()
			p.sleep(ctx, options.ChurnAway)
			p.chat.comeBack()
		} else {
			p.idle(ctx)
		}
	case slowReader:
		// Read, doze, read.
		if p.sleep(ctx, 5) && !p.w.isDraining() {
			p.w.mu.Lock()
			p.chat.pause = duration(options.SlowPause)
			p.w.mu.Unlock()
			sleep(ctx, duration(options.SlowPause))
		} else {
			p.idle(ctx)
		}
	default:
		<-ctx.Done() // reading is the connection's business
	}
}

// idle waits out a run that is over.
func (p *person) idle(ctx context.Context) { sleep(ctx, time.Second) }

// converse: in the open model the worker's schedule posts. In the closed one
// (rate 0) think, then post; the next thought begins when this post is in.
func (p *person) converse(ctx context.Context, options Options) {
	if options.Rate > 0 {
		sleep(ctx, 10*time.Second)
		return
	}
	if !p.sleep(ctx, options.ThinkTime) {
		return
	}
	p.w.mu.Lock()
	over := p.w.draining
	if !over {
		p.chat.outbox.offer(p.topics[p.rng.IntN(len(p.topics))], p.w.clock.now())
	}
	p.w.mu.Unlock()
	if over {
		p.idle(ctx)
		return
	}
	p.chat.outbox.quiet.wait(ctx)
}

// visitPage loads the page and every asset it names; the row page is all of it.
func (p *person) visitPage(ctx context.Context) {
	w := p.w
	from := w.clock.now()
	body, ok := p.request(ctx, "/", "page")
	if !ok {
		return
	}
	if !bytes.Contains(bytes.ToLower(body), []byte("<html")) {
		w.stats.Failure("GET", "page", "no page")
		w.count("fail page: no page")
		return
	}
	var paths []string
	for _, found := range assets.FindAllSubmatch(body, -1) {
		paths = append(paths, string(found[1]))
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if strings.Contains(path, "://") {
			continue // another site's: not this server's work
		}
		p.request(ctx, "/"+strings.TrimLeft(strings.TrimPrefix(path, "./"), "/"), "asset")
	}
	w.record("page", w.clock.now()-from)
}

// request gets a path, and counts it in Locust's tables under name.
func (p *person) request(ctx context.Context, path, name string) ([]byte, bool) {
	from := time.Now()
	status, body, err := p.w.get(ctx, p.base, path)
	switch {
	case ctx.Err() != nil:
		return nil, false
	case err != nil:
		p.w.stats.Failure("GET", name, describe(err))
		p.w.count("fail page: " + describe(err))
		return nil, false
	case status != 200:
		text := fmt.Sprintf("status %d", status)
		p.w.stats.Failure("GET", name, text)
		p.w.count("fail page: " + name + " " + text)
		return nil, false
	}
	p.w.stats.Request("GET", name, time.Since(from), len(body))
	return body, true
}

// pageBack reads over HTTP: the latest page, then up to three older ones.
func (p *person) pageBack(ctx context.Context, options Options) {
	topic, before := p.topics[p.rng.IntN(len(p.topics))], ""
	for range 1 + p.rng.IntN(4) {
		from := p.w.clock.now()
		body, ok := p.request(ctx, query(topic, before, 50), "/api/v1/messages")
		if !ok {
			break
		}
		page, more, err := wire.Page(body)
		if err != nil {
			p.w.stats.Failure("GET", "/api/v1/messages", "not a page of messages")
			break
		}
		p.w.record("history", p.w.clock.now()-from)
		p.w.mu.Lock()
		for _, text := range faults(page, topic, before, 50) {
			p.w.failure("history", text)
		}
		p.w.mu.Unlock()
		if len(page) == 0 || !more {
			break
		}
		before = page[0].ID
		if !p.sleep(ctx, 0.5) {
			return
		}
	}
	p.sleep(ctx, options.ThinkTime)
}
