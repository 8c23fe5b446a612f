package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// replicaWait is how long one try waits for the least number of replicas. A
	// healthy replica takes a millisecond; one that takes longer is on its way out.
	replicaWait = time.Second
	// inStepWait is how long a write waits for more replicas than the least: those
	// that were in step so far. One that takes longer is asked what it is now.
	inStepWait = 500 * time.Millisecond
	// probeTimeout bounds that question.
	probeTimeout = 300 * time.Millisecond
	// answerMargin is what must be left of a deadline, after the wait, for
	// the answer to come back; on a loaded machine, too.
	answerMargin = 150 * time.Millisecond
)

var (
	// errFewReplicas means that what is written is in the master's log, but not
	// yet known to be anywhere else.
	errFewReplicas = errors.New("too few replicas have acknowledged in time; " +
		"without replicas, set the minimum of replicas to none")
	// errReplaced means that what is written may be gone soon: the Redis that
	// took it is no master any more, or will soon hear that it is none.
	errReplaced = errors.New("another Redis has become master")
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

// runDurable runs a script that writes, and gives its answer when what it wrote
// is on at least as many replicas as Options.MinReplicas says and on all of r's.
// Else the answer has an error, and the caller may try again if the script
// bears it: even a repeat must write something, for WAIT covers the
// connection's own writes only.
//
// Script, wait and look go on one connection, in one go.
func (s *Store) runDurable(ctx context.Context, c *redis.Client, r *replicaSet, script *redis.Script, keys []string, args []any) *redis.Cmd {
	least := s.opt.MinReplicas
	if least == 0 {
		return script.Run(ctx, c, keys, args...)
	}
	want, known := r.want(least)
	if !known {
		s.firstLook(ctx, c, r)
		want, _ = r.want(least)
	}
	for loaded := false; ; loaded = true {
		pipe := c.Pipeline()
		run := script.EvalSha(ctx, pipe, keys, args...)
		wait := pipe.Do(ctx, "wait", want, waitMillis(ctx, want > least))
		info := pipe.Info(ctx, "replication")
		_, _ = pipe.Exec(ctx) // each command has its error
		if redis.HasErrorPrefix(run.Err(), "NOSCRIPT") && !loaded {
			if err := script.Load(ctx, c).Err(); err != nil {
				run.SetErr(err)
				return run
			}
			continue
		}
		if run.Err() != nil {
			return run
		}
		n, err := wait.Int()
		if err == nil {
			err = s.confirmed(ctx, r, n, info)
		}
		if err != nil {
			run.SetErr(err)
		}
		return run
	}
}

// firstLook learns which replicas there are. Without an answer the least
// number must do; the next write looks again.
func (s *Store) firstLook(ctx context.Context, c *redis.Client, r *replicaSet) {
	if text, err := c.Info(ctx, "replication").Result(); err == nil {
		if l, err := parseLook(text); err == nil && l.master {
			r.see(l, 0)
		}
	}
}

// confirmed gives nil when what n replicas have confirmed may be acknowledged.
func (s *Store) confirmed(ctx context.Context, r *replicaSet, n int, info *redis.StringCmd) error {
	text, err := info.Result()
	if redis.HasErrorPrefix(err, "NOPERM") {
		// A user of narrow rights: what is in step is not known.
		s.noInfo.Do(func() {
			s.log.Warn("this user may not call INFO: a failover by hand can lose acknowledged messages", "error", err)
		})
		if n < s.opt.MinReplicas {
			return errFewReplicas
		}
		return nil
	}
	if err != nil {
		return err
	}
	l, err := parseLook(text)
	if err != nil {
		return err
	}
	if !l.master {
		return errReplaced
	}
	missing := r.see(l, n)
	if n < s.opt.MinReplicas {
		return errFewReplicas
	}
	if len(missing) == 0 {
		return nil
	}
	ask, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var asked sync.WaitGroup
	replaced := make([]bool, len(missing))
	for i, addr := range missing {
		asked.Go(func() { replaced[i] = s.isMaster(ask, addr) })
	}
	asked.Wait()
	if ctx.Err() != nil {
		return errFewReplicas // there was no time to ask
	}
	for i, addr := range missing {
		if replaced[i] {
			return fmt.Errorf("%w: %s", errReplaced, addr)
		}
	}
	for _, addr := range missing {
		r.excuse(addr)
	}
	s.log.Warn("replicas have fallen behind or are away", "replicas", missing, "confirmed", n)
	return nil
}

// isMaster asks a Redis, a replica so far, whether it is a master. One that
// does not answer is not known to be.
func (s *Store) isMaster(ctx context.Context, addr string) bool {
	c := s.target.one(addr)
	defer c.Close()
	answer, err := c.Do(ctx, "role").Slice()
	return err == nil && len(answer) > 0 && answer[0] == "master"
}

// waitMillis is how long WAIT may take: never 0, which is for ever.
func waitMillis(ctx context.Context, all bool) int64 {
	wait := replicaWait
	if all {
		wait = inStepWait
	}
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)-answerMargin)
	}
	return max(1, wait.Milliseconds())
}
