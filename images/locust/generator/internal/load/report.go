package load

import (
	"context"
	"slices"
	"time"
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
