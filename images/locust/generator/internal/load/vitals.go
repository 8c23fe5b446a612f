package load

import (
	"context"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/generator/internal/locust"
	"chatapp/generator/internal/timing"
)

const (
	// lagEvery is the time between two readings of how late timers fire.
	lagEvery = 50 * time.Millisecond
	// missedLimit is how many missed timers one stall counts for at most.
	missedLimit = 2_000
	// unstampedOneIn: one arrival of a run, and one in so many, may come without a
	// stamp: a tenth of what lies past the 99th percentile.
	unstampedOneIn = 1_000
	// cpuWindow is the seconds over which CPU is averaged.
	cpuWindow = 5
)

// vitals are how this process itself is in one run: its CPU, how late its
// timers fire and its posts leave. Guarded by the worker's lock.
type vitals struct {
	loop, loopAll, schedule, scheduleAll timing.Histogram
	// own and ownAll are what a probe itself adds to the times it takes: from
	// when a post could leave until the kernel had it. Arrivals are stamped by
	// the kernel, so they add nothing.
	own, ownAll timing.Histogram
	// arrivals are those of a probe; unstamped those of them that the kernel did
	// not stamp.
	arrivals, unstamped int
	// cpu holds the percent of the last seconds.
	cpu        []float64
	cpuHighest float64
	used       time.Duration
	at         time.Time
	usedFirst  time.Duration
}

func newVitals() *vitals {
	used := locust.ProcessTime()
	return &vitals{used: used, usedFirst: used, at: time.Now()}
}

// measureCPU is the percent of one core since the last call, and the time since
// then; counts says whether it is evidence.
func (v *vitals) measureCPU(counts bool) (percent float64, wall time.Duration) {
	used, now := locust.ProcessTime(), time.Now()
	wall = max(now.Sub(v.at), time.Microsecond)
	percent = 100 * float64(used-v.used) / float64(wall)
	v.used, v.at = used, now
	v.cpu = append(v.cpu, percent)
	if len(v.cpu) > cpuWindow {
		v.cpu = v.cpu[1:]
	}
	if counts && len(v.cpu) == cpuWindow {
		sum := 0.0
		for _, one := range v.cpu {
			sum += one
		}
		v.cpuHighest = max(v.cpuHighest, sum/cpuWindow)
	}
	return percent, wall
}

// evidence is what this process can say to the validity gates; times in ms.
func (w *Worker) evidence() map[string]any {
	v, p := w.vitals, w.posting
	var clockError any
	if us, known := w.clock.error(); known {
		clockError = float64(us) / 1000
	}
	var own, ownAll any
	if w.stamping() {
		own, ownAll = v.own.Percentile(99)/1000, v.ownAll.Percentile(99)/1000
	}
	unsent, unanswered := 0, 0
	for _, one := range p.posters {
		unsent += one.outbox.unsent()
		if one.outbox.unanswered {
			unanswered++
		}
	}
	return map[string]any{
		"cpu_highest":          v.cpuHighest,
		"cpu_seconds":          (locust.ProcessTime() - v.usedFirst).Seconds(),
		"loop_lag_p99":         v.loop.Percentile(99) / 1000,
		"loop_lag_all_p99":     v.loopAll.Percentile(99) / 1000,
		"loop_lag_samples":     v.loop.Count,
		"longest_stall":        float64(v.loopAll.High) / 1000,
		"schedule_lag_p99":     v.schedule.Percentile(99) / 1000,
		"schedule_lag_all_p99": v.scheduleAll.Percentile(99) / 1000,
		"own_lag_p99":          own,
		"own_lag_all_p99":      ownAll,
		"own_lag_samples":      v.own.Count,
		"clock_error":          clockError,
		"homeless":             p.homeless,
		"dropped":              p.dropped,
		"unsent":               unsent,
		"unanswered":           unanswered,
		"abandoned":            p.abandoned,
		"probe":                w.probing,
		"generator":            "go",
	}
}

// stamping says whether the times that are taken here end when the kernel has
// what came, and not when this process gets to it. With the lock.
func (w *Worker) stamping() bool { return w.probing && w.vitals.stampsHold() }

// stampsHold says whether the kernel stamps what comes. A few without a stamp
// move no percentile that is shown: as a rule it is the very first, which came
// before the kernel had begun to stamp.
func (v *vitals) stampsHold() bool { return v.unstamped <= 1+v.arrivals/unstampedOneIn }

// arrival is the lab's clock when what was read last on conn came: for a probe
// when the kernel had it, else now. With the lock.
func (w *Worker) arrival(conn *websocket.Conn) int64 {
	if !w.probing {
		return w.clock.now()
	}
	ago, known := arrived(conn.NetConn())
	w.vitals.arrivals++
	if !known {
		w.vitals.unstamped++
		w.slot.Counters["arrivals unstamped"]++
	}
	return w.clock.now() - ago
}

// ownLag: a post left so many µs after it could. Without the lock.
func (w *Worker) ownLag(us int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vitals.ownAll.Record(us)
	if !w.ramping {
		w.vitals.own.Record(us)
	}
}

// watchLag reads how late timers fire until ctx ends. Every timer that should
// have fired during a stall counts, not only the one that ended it.
func (w *Worker) watchLag(ctx context.Context) {
	for {
		before := time.Now()
		if !sleep(ctx, lagEvery) {
			return
		}
		late := max(0, time.Since(before)-lagEvery)
		w.mu.Lock()
		for missed := range min(missedLimit, int(late/lagEvery)+1) {
			us := (late - time.Duration(missed)*lagEvery).Microseconds()
			w.vitals.loopAll.Record(us)
			if !w.ramping {
				w.vitals.loop.Record(us)
			}
			if !w.closed {
				w.slot.Row("loop_lag").Record(us)
			}
		}
		w.mu.Unlock()
	}
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
