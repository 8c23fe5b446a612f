// Package load is one load process: its people, its ledger, its clock, and what
// it reports to the master. It does what chatload/worker.py does, with the same
// messages, in Go, for the numbers of people and posts at which a Python
// process would measure itself.
//
// Worker.mu guards nearly everything; methods and functions say where they want
// it held. A delivery holds it for well under a microsecond.
package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vmihailenco/msgpack/v5"

	"chatapp/generator/internal/ledger"
	"chatapp/generator/internal/locust"
	"chatapp/generator/internal/timing"
	"chatapp/generator/internal/wire"
)

const (
	// askEvery is the time between two questions to the master, and askFirst
	// that between the first askFirstTimes.
	askEvery      = 2 * time.Second
	askFirst      = 100 * time.Millisecond
	askFirstTimes = 10
	// orphaned is the time without an answer of the master after which the load
	// stops; orphanedAtEnd once nothing is posted any more, when a master that
	// makes its canons may be busy.
	orphaned      = 8 * time.Second
	orphanedAtEnd = time.Minute
	// requestEvery is the time between two requests to be taken in.
	requestEvery = 10 * time.Second
	// settleIn is how long after the last user was started the ramp-up lasts.
	settleIn = 2 * time.Second
	// firstStart is how long a new user waits for the start of the run: Locust
	// may send users first.
	firstStart = 15 * time.Second
	// framesKept is how many different frames are remembered; then all are
	// forgotten.
	framesKept = 512
)

// measured are the rows that are kept apart during the ramp-up (…_ramp), and of
// the crowd where probes measure (…_crowd).
var measured = []string{"ack", "deliver", "echo", "loop_lag", "schedule_lag"}

// shownInLocust are the rows that are shown in Locust's own tables, and their
// type there: what was asked for and answered, or what came by itself.
var shownInLocust = map[string]string{
	"page": "CHAT", "connect": "CHAT", "resume": "CHAT", "history": "CHAT", "ack": "CHAT",
	"deliver": "PUSH", "echo": "PUSH", "catch_up": "PUSH", "deliver_slow": "PUSH",
}

// requests are the rows that count as requests in Locust's total. A delivery is
// none; of page and history the HTTP requests are counted.
var requests = []string{"connect", "resume", "ack"}

// Worker is the load process. Make one with New.
type Worker struct {
	master *locust.Runner
	stats  *locust.Stats
	log    *slog.Logger
	// probing: this process measures for the run, and has its own people.
	probing bool
	clock   clock
	http    *http.Client
	// dialer makes the people's sockets; slowDialer those that are read in rounds.
	dialer, slowDialer *websocket.Dialer
	// begun is open while a run is on.
	begun gate

	mu      sync.Mutex
	options Options
	ledger  *ledger.Ledger
	// frames are the latest different frames, decoded: the readers of a topic
	// are sent the same bytes.
	frames  map[string]*wire.Frame
	clients []*client
	posting *posting
	vitals  *vitals
	// draining: posting is over for good. closed: so are the books.
	draining, closed bool
	// ramping: users are still being started for the first time in this run.
	ramping bool
	probed  bool
	slot    *timing.Slot
	// deliveries of this second, and their row, which is looked up once.
	shown   int
	deliver *timing.Histogram
	targets []string
	// start is the lab's clock at the start of the run, µs; second the number of
	// the one that is being filled.
	start  int64
	second int64
	// made counts users: it names the next one and its random numbers.
	made int
	// flight counts posts due and not answered, since flightSince; flightArea is
	// the area under them, for Little's law.
	flight      int
	flightSince int64
	flightArea  int64
	// heard is when the master last answered; requested when this worker last
	// asked to be taken in.
	heard, requested time.Time
	// connectedAt is when somebody was last connected, at the end of a run.
	connectedAt time.Time
	// runCtx ends with the run.
	runCtx context.Context
	endRun context.CancelFunc
}

// New makes a load process that reports to master.
func New(master *locust.Runner, probing bool, logger *slog.Logger) *Worker {
	w := &Worker{
		master: master, stats: master.Stats, probing: probing, log: logger.With("component", "load"),
		http: &http.Client{Transport: &http.Transport{
			TLSClientConfig: anyCertificate, MaxIdleConnsPerHost: 16, IdleConnTimeout: 5 * time.Second,
		}},
		dialer: newDialer(false), slowDialer: newDialer(true),
		heard: time.Now(), runCtx: context.Background(), endRun: func() {},
	}
	w.reset("", Options{})
	return w
}

// reset forgets everything of the last run. With the lock.
func (w *Worker) reset(run string, options Options) {
	w.options, w.ledger = options, ledger.Open(run)
	w.frames = map[string]*wire.Frame{}
	w.clients = nil
	w.draining, w.closed, w.ramping = false, false, true
	w.newSlot()
	w.made = 0
	w.flight, w.flightSince, w.flightArea = 0, nowUS(), 0
	w.vitals = newVitals()
}

// Run asks the master for its clock until ctx ends, and then ends the run.
func (w *Worker) Run(ctx context.Context) {
	w.ask(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endRun()
}

// Kinds are the user classes. Implements locust.Load.
func (w *Worker) Kinds() []string { return []string{reader, poster, lurker, churner, slowReader} }

// -- for people and their connections ----------------------------------------

// settings are those of the run.
func (w *Worker) settings() Options {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.options
}

func (w *Worker) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}

// record a time of us µs in a row of the current second. Without the lock.
func (w *Worker) record(row string, us int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slot.Row(row).Record(us)
}

// count raises a counter of the current second. Without the lock.
func (w *Worker) count(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slot.Counters[name]++
}

// failure: a row of Locust's failure table, and a counter of this second. With
// the lock.
func (w *Worker) failure(row, text string) {
	w.slot.Counters["fail "+row+": "+text]++
	kind := shownInLocust[row]
	if kind == "" {
		kind = "CHAT"
	}
	w.stats.Failure(kind, row, text)
}

// inFlight: so many more posts (or fewer) are due and not answered. With the
// lock.
func (w *Worker) inFlight(change int) {
	now := nowUS()
	w.flightArea += int64(w.flight) * (now - w.flightSince)
	w.flight += change
	w.flightSince = now
}

// newSlot begins a slot. With the lock.
func (w *Worker) newSlot() *timing.Slot {
	old := w.slot
	if old != nil && w.shown > 0 {
		old.Counters["deliveries"] += w.shown
	}
	w.slot, w.shown, w.deliver = timing.NewSlot(), 0, nil
	return old
}

// deliverRow is the row of deliveries. With the lock.
func (w *Worker) deliverRow() *timing.Histogram {
	if w.deliver == nil {
		w.deliver = w.slot.Row("deliver")
	}
	return w.deliver
}

// decode a frame, each different one of messages once. Every byte of every
// frame is still compared. With the lock.
func (w *Worker) decode(raw []byte) (*wire.Frame, error) {
	if f := w.frames[string(raw)]; f != nil {
		return f, nil
	}
	f, err := wire.Decode(raw)
	if err == nil && f.Type == wire.KindMessages {
		if len(w.frames) >= framesKept {
			clear(w.frames)
		}
		w.frames[string(raw)] = f
	}
	return f, err
}

// target is a base URL to connect to, another than failed where there is one.
// Without the lock.
func (w *Worker) target(rng *rand.Rand, failed string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	choices := w.targets
	if len(choices) > 1 {
		choices = slices.DeleteFunc(slices.Clone(choices), func(one string) bool { return one == failed })
	}
	return choices[rng.IntN(len(choices))]
}

// newcomer is a new user of a kind: its name, its random numbers and its topics.
// It waits for the run's settings.
func (w *Worker) newcomer(ctx context.Context, kind string) (string, *rand.Rand, []string, error) {
	if !w.begun.waitFor(ctx, firstStart) {
		return "", nil, nil, errors.New("the master sent users, but no run")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	number, index := w.made, w.master.Index()
	w.made++
	name := fmt.Sprintf("%s%d-%d", strings.ToLower(kind[:1]), index, number)
	rng := random("%d/%d/%d/%s", w.options.Seed, index, number, kind)
	var topics []string
	if kind == probe {
		for i := range w.options.TopicsPerUser {
			topics = append(topics, topicName(w.ledger.Run, i))
		}
	} else {
		for _, i := range w.options.chooseTopics(rng) {
			topics = append(topics, topicName(w.ledger.Run, i))
		}
	}
	return name, rng, topics, nil
}

// join: a user with a socket has arrived. Without the lock.
func (w *Worker) join(c *client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, c)
	if c.poster {
		w.posting.posters = append(w.posting.posters, c)
	}
}

// part: it has left. Without the lock.
func (w *Worker) part(c *client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posting.part(c)
	if i := slices.Index(w.clients, c); i >= 0 {
		w.clients = slices.Delete(w.clients, i, i+1)
	}
}

// -- messages from the master -------------------------------------------------

// Receive takes a message of the lab's own. Implements locust.Load.
func (w *Worker) Receive(kind string, raw msgpack.RawMessage) {
	var data struct {
		Run     string                        `msgpack:"run"`
		Options Options                       `msgpack:"options"`
		Targets string                        `msgpack:"targets"`
		Boot    string                        `msgpack:"boot"`
		Elapsed int64                         `msgpack:"elapsed"`
		Probed  bool                          `msgpack:"probed"`
		Rate    float64                       `msgpack:"rate"`
		Asked   int64                         `msgpack:"asked"`
		Clock   int64                         `msgpack:"clock"`
		On      bool                          `msgpack:"on"`
		Topics  []string                      `msgpack:"topics"`
		Canons  map[string]msgpack.RawMessage `msgpack:"canons"`
	}
	if err := msgpack.Unmarshal(raw, &data); err != nil {
		w.log.Error("unreadable", "message", kind, "error", err)
		return
	}
	if kind == "chat_pong" {
		w.pong(data.Run, data.Boot, data.Asked, data.Clock, data.On)
		return
	}
	if kind == "chat_start" {
		w.begin(data.Run, data.Options, data.Targets, data.Boot, data.Elapsed, data.Probed)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if data.Run != w.ledger.Run {
		return // of a run that is over for us
	}
	ctx := w.runCtx
	switch kind {
	case "chat_rate":
		if !w.draining {
			w.posting.arrivals.setRate(data.Rate, time.Now())
		}
	case "chat_drain":
		w.draining = true
		go w.handIn(ctx)
	case "chat_look":
		go w.lookUp(ctx, data.Topics)
	case "chat_settle":
		go w.settle(ctx, data.Canons)
	default:
		w.log.Warn("unknown message", "message", kind)
	}
}

// begin: a run begins; forget the last one.
func (w *Worker) begin(run string, options Options, targets, boot string, elapsed int64, probed bool) {
	w.mu.Lock()
	if run == w.ledger.Run && w.begun.isSet() {
		w.mu.Unlock()
		return // told twice
	}
	w.endRun()
	leftover := w.clients
	w.mu.Unlock()
	stopAll(leftover)
	if boot != "" && boot == bootID() {
		w.clock.sameKernel()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reset(run, options)
	w.probed = probed
	w.targets = nil
	for _, one := range strings.Split(targets, ",") {
		w.targets = append(w.targets, strings.TrimRight(strings.TrimSpace(one), "/"))
	}
	// A newcomer's seconds are the run's seconds, so they begin where the run is.
	w.start = w.clock.now() - elapsed
	w.second = elapsed / 1_000_000
	w.heard = time.Now()
	w.posting = newPosting(w, fmt.Sprintf("%d/%d", options.Seed, w.master.Index()))
	w.runCtx, w.endRun = context.WithCancel(context.Background())
	go w.reportForever(w.runCtx)
	go w.watchLag(w.runCtx)
	go w.posting.run(w.runCtx)
	w.begun.set()
	if w.probing {
		go w.sendProbes(w.runCtx)
	}
}

// sendProbes makes a probe worker's people: they read and post, in the first
// topics, and stay.
func (w *Worker) sendProbes(ctx context.Context) {
	for range w.settings().Probes {
		name, _, topics, err := w.newcomer(ctx, probe)
		if err != nil {
			return
		}
		c := newClient(w, name, topics, true, false)
		w.join(c)
		c.start(ctx)
		c.connected.waitFor(ctx, time.Second)
	}
}

// Spawned: all users are started; the first time counts. Implements
// locust.Load.
func (w *Worker) Spawned() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ramping {
		return
	}
	ctx := w.runCtx
	go func() {
		if !sleep(ctx, settleIn) {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.ramping {
			w.report(false)
			w.vitals.cpu = nil
			w.ramping = false
		}
	}()
}

// pong: the master told the time, and which run is on.
func (w *Worker) pong(run, boot string, asked, theirs int64, on bool) {
	if boot != "" && boot == bootID() {
		w.clock.sameKernel()
	}
	w.clock.exchanged(asked, theirs, nowUS())
	w.mu.Lock()
	w.heard = time.Now()
	same, ours, closed := run == w.ledger.Run, w.begun.isSet(), w.closed
	w.mu.Unlock()
	switch {
	case same && ours, same && !on:
	case ours && !closed:
		w.orphan("its master is at another run")
	case on:
		w.master.Send("chat_join", map[string]any{})
	}
}

// -- messages to the master ---------------------------------------------------

// tell sends the master something of this run.
func (w *Worker) tell(kind, run string, data map[string]any) {
	data["run"], data["worker"] = run, w.master.Index()
	if !w.master.Send(kind, data) {
		w.log.Error("too much waits for the master", "message", kind)
	}
}

// reportForever hands over every second of the run at its end.
func (w *Worker) reportForever(ctx context.Context) {
	for {
		w.mu.Lock()
		left := (w.second+1)*1_000_000 - (w.clock.now() - w.start)
		w.mu.Unlock()
		// Seconds end by the clock, not by sleeping: each is reported once,
		// whatever the load.
		if !sleep(ctx, time.Duration(left)*time.Microsecond) {
			return
		}
		w.mu.Lock()
		w.report(true)
		w.second = max(w.second+1, (w.clock.now()-w.start)/1_000_000)
		w.mu.Unlock()
	}
}

// report hands over what happened since the last report. whole: this ends the
// second, so what is (users, sockets, CPU) is told too, once a second. With the
// lock.
func (w *Worker) report(whole bool) {
	slot := w.newSlot()
	pods, sockets := map[string]int{}, 0
	for _, c := range w.clients {
		if c.connected.isSet() {
			pods[c.server]++
			sockets++
		}
	}
	users, crowd := w.master.Users(), w.master.Users()
	if w.probing {
		users, crowd = len(w.clients), 0
	}
	if whole {
		percent, wall := w.vitals.measureCPU(!w.draining && !w.ramping)
		w.inFlight(0)
		slot.Gauges["cpu"] = percent
		slot.Gauges["posts_in_flight"] = float64(w.flightArea) / 1e6 / wall.Seconds()
		w.flightArea = 0
		slot.Gauges["sockets"] = float64(sockets)
		slot.Gauges["users"] = float64(users)
	}
	suffix := ""
	if w.probed && !w.probing {
		suffix = "_crowd"
	}
	if w.ramping {
		suffix += "_ramp"
	}
	rename := func(row string) string {
		if slices.Contains(measured, row) {
			return row + suffix
		}
		return row
	}
	crowds := ""
	if w.probed && !w.probing {
		crowds = " (crowd)"
	}
	for row, h := range slot.Rows {
		kind, shown := shownInLocust[row]
		if !shown {
			continue
		}
		name := row
		if slices.Contains(measured, row) {
			name += crowds
		}
		w.stats.Rows(kind, name, h, slices.Contains(requests, row))
	}
	cpu := 0.0
	if n := len(w.vitals.cpu); n > 0 {
		cpu = w.vitals.cpu[n-1]
	}
	w.tell("chat_report", w.ledger.Run, map[string]any{
		"second":   w.second,
		"slot":     slot.Packed(rename),
		"counts":   w.ledger.Total(),
		"pods":     pods,
		"posters":  len(w.posting.posters),
		"users":    crowd,
		"evidence": w.evidence(),
		"cpu":      cpu,
	})
}

// -- the master's absence ------------------------------------------------------

// ask asks the master for the time, often at first, and notices when it does
// not answer; until ctx ends.
func (w *Worker) ask(ctx context.Context) {
	for number := 0; ; number++ {
		if w.master.Connected() {
			w.master.Send("chat_ping", map[string]any{"asked": nowUS()})
		}
		pause, before := askEvery, time.Now()
		if number < askFirstTimes {
			pause = askFirst
		}
		if !sleep(ctx, pause) {
			return
		}
		w.mu.Lock()
		if time.Since(before) > pause+time.Second {
			w.heard = time.Now() // it was us who stood still: ask once more
		}
		patience := orphaned
		if w.closed {
			patience = orphanedAtEnd
		}
		alone := time.Since(w.heard) > patience
		w.mu.Unlock()
		if alone {
			w.orphan("its master does not answer")
		}
	}
}

// orphan: nobody leads this load any more. Stop it, and ask to be taken in
// again. Without the lock.
func (w *Worker) orphan(why string) {
	w.mu.Lock()
	if w.begun.isSet() {
		w.log.Warn("the load stops", "run", w.ledger.Run, "reason", why)
		w.begun.clear()
		w.draining, w.closed = true, true
		w.endRun()
	} else if time.Since(w.requested) < requestEvery {
		w.mu.Unlock()
		return
	}
	w.requested = time.Now()
	clients := slices.Clone(w.clients)
	w.mu.Unlock()
	stopAll(clients)
	w.master.Abandon()
}

// stopAll stops clients side by side.
func stopAll(clients []*client) {
	var wait sync.WaitGroup
	for _, one := range clients {
		wait.Go(one.stop)
	}
	wait.Wait()
}
