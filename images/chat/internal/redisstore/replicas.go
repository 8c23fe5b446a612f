package redisstore

import (
	"net"
	"strconv"
	"strings"
	"sync"
)

// replicaSet is which replicas of a master have to have what is written before
// it is acknowledged: all that are in step.
//
// One replica is enough when a master dies, for Sentinel then promotes the one
// that has most. When a healthy master is replaced, by hand, it is not: Sentinel
// promotes a replica first and tells the others later, and meanwhile the old
// master takes writes, and the replica that still follows it confirms them. So
// a replica that was in step and does not confirm is asked what it is. If it is
// a master now, nothing is acknowledged; if it is away or behind, the others
// are enough until it is in step again.
//
// It is safe for concurrent use.
type replicaSet struct {
	mu      sync.Mutex
	history string          // the master's replication id: another master, another id
	offset  int64           // where its stream stood at the last look
	inStep  map[string]bool // by host:port
}

// look is what a master says of its replicas (INFO replication).
type look struct {
	master   bool
	history  string
	offset   int64
	replicas map[string]int64 // host:port of those connected → what they have
}

func parseLook(info string) (l look, err error) {
	l.replicas = make(map[string]int64)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "role":
			l.master = value == "master"
		case name == "master_replid":
			l.history = value
		case name == "master_repl_offset":
			l.offset, err = strconv.ParseInt(value, 10, 64)
		case strings.HasPrefix(name, "slave") && strings.Contains(value, "state=online"):
			fields := make(map[string]string)
			for field := range strings.SplitSeq(value, ",") {
				k, v, _ := strings.Cut(field, "=")
				fields[k] = v
			}
			// A replica whose offset cannot be read has nothing.
			has, _ := strconv.ParseInt(fields["offset"], 10, 64)
			l.replicas[net.JoinHostPort(fields["ip"], fields["port"])] = has
		}
		if err != nil {
			break
		}
	}
	if err != nil || l.history == "" {
		return look{}, errAnswer("INFO replication")
	}
	return l, nil
}

// want is how many replicas the next write must wait for; false: the set has
// never seen a master.
func (r *replicaSet) want(least int) (n int, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(least, len(r.inStep)), r.history != ""
}

// see takes in a look, and gives the replicas that were in step and of which it
// cannot be told that they have confirmed: n have.
func (r *replicaSet) see(l look, n int) (missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.history != l.history {
		r.history, r.offset, r.inStep = l.history, l.offset, make(map[string]bool)
		for addr := range l.replicas {
			r.inStep[addr] = true
		}
	}
	enough := n >= len(r.inStep)
	for addr := range r.inStep {
		if has, connected := l.replicas[addr]; !connected || !enough && has < l.offset {
			missing = append(missing, addr)
		}
	}
	for addr, has := range l.replicas {
		if has >= r.offset {
			r.inStep[addr] = true
		}
	}
	r.offset = l.offset
	return missing
}

// excuse lets the next writes go without a replica.
func (r *replicaSet) excuse(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inStep, addr)
}
