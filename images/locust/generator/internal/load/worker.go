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

// Worker is the load process. Make one with New.
type Worker struct {
	master *locust.Runner
	stats  *locust.Stats
	log    *slog.Logger
	// probing: this process measures for the run, and has its own people.
	probing bool
	clock   clock
	http    *http.Client
	// dialer makes the people's sockets; slowDialer those that are read in rounds,
	// probeDialer those whose reads are stamped.
	dialer, slowDialer, probeDialer *websocket.Dialer
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
		dialer: newDialer(nil), slowDialer: newDialer(inRounds), probeDialer: newDialer(stamped),
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

// -- messages to the master ---------------------------------------------------

// -- the master's absence ------------------------------------------------------
