package locust

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Times of Locust's WorkerRunner.
const (
	heartbeatEvery = time.Second
	reportEvery    = 3 * time.Second
	greetEvery     = time.Second
)

// States of a worker, in Locust's words.
const (
	stateReady    = "ready"
	stateSpawning = "spawning"
	stateRunning  = "running"
)

// User is a simulated person. Stop makes it leave, and returns when it has.
type User interface{ Stop() }

// Load is whose users a Runner starts and stops, and who gets the messages that
// are not Locust's. Its methods are called from one goroutine.
type Load interface {
	// Kinds are the names of its user classes.
	Kinds() []string
	// Start starts a user of a kind, and does not wait for it.
	Start(kind string) User
	// Spawned: the master says that all users of all workers are started.
	Spawned()
	// Receive is told a message of the lab's own.
	Receive(kind string, data msgpack.RawMessage)
}

// Runner is a Locust worker. All but Send, Index and Users belong to the
// goroutine of Run.
type Runner struct {
	// Stats are this worker's share of Locust's tables.
	Stats *Stats
	load  Load
	link  *link
	log   *slog.Logger
	index atomic.Int64
	state atomic.Value // string
	// spawned is the time stamp of the last spawn message, the master's clock.
	spawned float64
	// acked: a master has taken this worker in. lost: one had, and is gone, or
	// must forget this worker before it takes it in again.
	acked, lost bool
	// mu guards users: kind → users, in order of arrival.
	mu    sync.Mutex
	users map[string][]User
	// abandon asks Run to stop all users and to be taken in again.
	abandon chan struct{}
}

// NewRunner makes a worker of the master at host and port. suffix ends its id.
func NewRunner(host, port, suffix string, logger *slog.Logger) (*Runner, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("learn the host's name: %w", err)
	}
	unique := make([]byte, 16)
	if _, err := rand.Read(unique); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	id := name + "_" + hex.EncodeToString(unique) + suffix
	r := &Runner{
		Stats: NewStats(), log: logger.With("component", "locust"),
		users: map[string][]User{}, abandon: make(chan struct{}, 1),
	}
	r.link = newLink(masterAddress(host, port), id, r.log)
	r.state.Store(stateReady)
	return r, nil
}

// Index is this worker's number, unique at its master; 0 until it is told.
func (r *Runner) Index() int { return int(r.index.Load()) }

// Send sends the master a message. It does not wait; false when too many wait
// already. Safe for concurrent use.
func (r *Runner) Send(kind string, data any) bool { return r.link.send(kind, data) }

// Connected says whether the connection with the master stands. Safe for
// concurrent use.
func (r *Runner) Connected() bool { return r.link.up.Load() }

// Abandon asks for all users to be stopped, and to be taken in again: by a
// master that knows this worker it is forgotten first, another one greets it.
// Safe for concurrent use.
func (r *Runner) Abandon() {
	select {
	case r.abandon <- struct{}{}:
	default: // asked for already
	}
}

// Users counts the users. Safe for concurrent use.
func (r *Runner) Users() int {
	_, total := r.count()
	return total
}

// count is the number of users by kind, all kinds named, and in all.
func (r *Runner) count() (map[string]int, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts, total := map[string]int{}, 0
	for _, kind := range r.load.Kinds() {
		counts[kind] = len(r.users[kind])
		total += len(r.users[kind])
	}
	return counts, total
}

// Run serves until ctx ends or the master says quit. It then stops all users
// and tells the master.
func (r *Runner) Run(ctx context.Context, load Load) {
	r.load = load
	linkCtx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.link.run(linkCtx)
	}()
	defer func() {
		r.stopAll()
		r.Stats.sendTo(r)
		r.Send("quit", nil)
		r.flush()
		cancel()
		<-done
	}()
	heartbeat, report, greet := time.NewTicker(heartbeatEvery), time.NewTicker(reportEvery), time.NewTicker(greetEvery)
	defer heartbeat.Stop()
	defer report.Stop()
	defer greet.Stop()
	cpu := newMeter()
	r.greet()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heartbeat.C:
			if r.acked && r.link.up.Load() {
				r.Send("heartbeat", map[string]any{
					"state": r.state.Load(), "current_cpu_usage": cpu.percent(), "current_memory_usage": resident(),
				})
			}
		case <-report.C:
			if r.acked {
				r.Stats.sendTo(r)
			}
		case <-greet.C:
			r.greet()
		case <-r.abandon:
			r.stopAll()
			r.spawned = 0
			r.state.Store(stateReady)
			r.acked, r.lost = false, true
			r.greet()
		case m := <-r.link.in:
			if !r.handle(m) {
				return
			}
		}
	}
}

// greet asks the master to take this worker in, unless it has.
func (r *Runner) greet() {
	if r.acked || !r.link.up.Load() {
		return
	}
	if r.lost {
		r.Send("client_stopped", nil)
	}
	r.Send("client_ready", Version)
}

// flush waits a moment for the last messages to leave.
func (r *Runner) flush() {
	for range 20 {
		if len(r.link.out) == 0 || !r.link.up.Load() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
}

// handle one message of the master; false when it was the last.
func (r *Runner) handle(m message) bool {
	switch m.Type {
	case "ack":
		var data struct {
			Index int64 `msgpack:"index"`
		}
		if err := msgpack.Unmarshal(m.Data, &data); err != nil {
			r.log.Error("unreadable", "message", m.Type, "error", err)
		}
		r.index.Store(data.Index)
		r.acked, r.lost = true, false
	case "spawn":
		r.spawn(m.Data)
	case "spawning_complete":
		r.load.Spawned()
	case "stop":
		r.stopAll()
		r.Send("client_stopped", nil)
		r.Send("client_ready", Version)
		r.state.Store(stateReady)
	case "reconnect", "heartbeat":
		// The connection mends itself, and every message says that it stands.
	case "quit":
		r.log.Info("the master says quit")
		return false
	default:
		r.load.Receive(m.Type, m.Data)
	}
	return true
}

// spawn brings the users to the numbers that the master asks for.
func (r *Runner) spawn(raw msgpack.RawMessage) {
	r.Send("spawning", nil)
	var job struct {
		Timestamp float64        `msgpack:"timestamp"`
		Counts    map[string]int `msgpack:"user_classes_count"`
	}
	if err := msgpack.Unmarshal(raw, &job); err != nil {
		r.log.Error("unreadable", "message", "spawn", "error", err)
		return
	}
	if job.Timestamp <= r.spawned {
		return // an older one that came later
	}
	r.spawned = job.Timestamp
	if r.state.Load() == stateReady {
		r.Stats.clear()
	}
	r.state.Store(stateSpawning)
	var leaving []User
	for kind, wanted := range job.Counts {
		r.mu.Lock()
		have := r.users[kind]
		r.mu.Unlock()
		for len(have) < wanted {
			have = append(have, r.load.Start(kind))
		}
		leaving = append(leaving, have[wanted:]...)
		r.mu.Lock()
		r.users[kind] = have[:wanted:wanted]
		r.mu.Unlock()
	}
	stop(leaving)
	counts, total := r.count()
	r.Send("spawning_complete", map[string]any{"user_classes_count": counts, "user_count": total})
	r.state.Store(stateRunning)
}

// stopAll stops every user.
func (r *Runner) stopAll() {
	r.mu.Lock()
	var leaving []User
	for _, users := range r.users {
		leaving = append(leaving, users...)
	}
	r.users = map[string][]User{}
	r.mu.Unlock()
	stop(leaving)
}

// stop stops users side by side, for each may have to wait for something.
func stop(users []User) {
	var wait sync.WaitGroup
	for _, one := range users {
		wait.Go(one.Stop)
	}
	wait.Wait()
}

// sendTo sends what happened since the last report.
func (s *Stats) sendTo(r *Runner) {
	data := s.report()
	counts, total := r.count()
	data["user_classes_count"], data["user_count"] = counts, total
	r.Send("stats", data)
}

// meter tells the CPU that this process uses.
type meter struct {
	used time.Duration
	at   time.Time
}

func newMeter() *meter { return &meter{ProcessTime(), time.Now()} }

// percent of one core since the last call.
func (m *meter) percent() float64 {
	used, at := ProcessTime(), time.Now()
	spent := 100 * float64(used-m.used) / float64(max(at.Sub(m.at), time.Millisecond))
	m.used, m.at = used, at
	return spent
}

// ProcessTime is the CPU time that this process has used so far.
func ProcessTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// resident is the memory that this process holds, bytes.
func resident() int {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}
