// Package redisstore is the log (chat.Log) and presence (chat.Presence) on Redis
// 7.0 or later, for any number of chat processes at once. It uses Streams alone: every
// process tails each partition with a blocking XREAD from a position, which
// leaves no gap, whatever becomes of the connection.
//
// # The URL
//
//	redis://[user:password@]host[:port][/db]                        one Redis
//	redis+sentinel://[user:password@]host[:port],…/master[/db]      with Sentinel
//	redis+cluster://[user:password@]host[:port],…                   Redis Cluster
//
// rediss in place of redis asks for TLS. Ports default to 6379, for Sentinel
// to 26379. The Sentinel form names the sentinels, and the master by the name
// they know it by; ?sentinel_user= and ?sentinel_password= are for a password
// on the sentinels themselves. A password is percent-encoded where it must be.
//
// # What is kept, and where
//
// See keys.go. A batch of messages is one entry of the partition's stream:
// one append, one fsync, one wait, and one thing for each tail to fetch. The
// entry's id (ms-seq, given by Redis) with the index in the batch is the
// message's position, so Redis's clock stamps and orders everything.
//
// # What is promised
//
// An append has succeeded once Redis has run it and MinReplicas replicas have
// acknowledged it (WAIT). That it also is on disk is up to Redis's own
// setting: appendonly yes, appendfsync always; replicas likewise. An append
// whose outcome is not known is tried again with the same keys for as long as
// an outage is young (see outage), so that a failover fails few posts.
//
// A partition that has lost its tail (a replica that lacked it became master)
// or was emptied gets a new epoch with the first append or State that knows
// better: see lua/fence.lua.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/trouble"
)

// Options says where the log is and how it is kept. The zero value of each
// field but URL is a good default.
type Options struct {
	URL string // see the package comment

	// Partitions is how many streams the log is split into. The first process
	// on a log records it; for all others it must be the same. 0: 1, or 16 on
	// a Cluster, so that up to 16 masters share the work.
	Partitions int

	// Retention is what to keep; the same in every process.
	Retention chat.Retention

	// MinReplicas is how many replicas must have a message before it is
	// acknowledged. 0: one with Sentinel or on a Cluster, none on one Redis.
	// NoReplicas: none, so that a master that dies may take what it has
	// acknowledged with it.
	MinReplicas int

	// KeyPrefix starts all keys, "chat" if empty: logs with different
	// prefixes may share a Redis.
	KeyPrefix string

	// Memory is how many bytes of Redis's memory the log, the keys it
	// remembers and what stands beside may take together: retention removes
	// messages sooner to keep to it. 0: three quarters of Redis's maxmemory, as
	// far as that is set and known.
	Memory int64

	// Failed is told the access ("reads", "writes") and the cause of each
	// access that fails. It must not block. Nil: nobody is told.
	Failed func(access trouble.Access, cause string)

	Logger *slog.Logger // nil: silent
}

// NoReplicas is the MinReplicas of a Redis that has none, or need not wait.
const NoReplicas = -1

const (
	// clusterPartitions is the default on a Cluster; more makes batches
	// smaller, and a batch costs Redis as much as some 15 messages do.
	clusterPartitions = 16
	// maxReplicas is a bound against slips; Redis itself has none.
	maxReplicas = 16
)

// Store is a chat.Log and a chat.Presence on Redis. Open makes one.
type Store struct {
	opt    Options
	form   form
	target target
	noInfo sync.Once // says that INFO is not allowed
	log    *slog.Logger
	keys   globalKeys
	parts  []*partition
	// present and settled: of presence, and of the partition count.
	present, settled outage
	trouble          *trouble.Book
	cmd              nodes // for what is answered at once: appends and questions of state
	past             nodes // for what is read back, so that no reader takes a post's connection
	tail             nodes // for XREAD BLOCK: a tail that waits holds its connection

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	tidy   sync.WaitGroup
	marked chan int // partitions that set a mark: retention may have work
	memory memory
	probes probes
}

var (
	_ chat.Log      = (*Store)(nil)
	_ chat.Presence = (*Store)(nil)
)

// Open checks the options and starts the store's two goroutines: one does
// retention, one watches Redis. It does not need Redis: a process may start
// while Redis is away. Close frees everything.
func Open(o Options) (*Store, error) {
	target, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Partitions == 0 {
		o.Partitions = 1
		if target.form == formCluster {
			o.Partitions = clusterPartitions
		}
	}
	if o.Partitions < 1 || o.Partitions > chat.MaxPartitions {
		return nil, fmt.Errorf("partitions: %d is not allowed; choose 1 to %d, or 0 for the default", o.Partitions, chat.MaxPartitions)
	}
	switch {
	case o.MinReplicas == 0 && target.form != formSingle:
		o.MinReplicas = 1
	case o.MinReplicas == NoReplicas:
		o.MinReplicas = 0
	case o.MinReplicas < 0 || o.MinReplicas > maxReplicas:
		return nil, fmt.Errorf("min replicas: %d is not allowed; choose 1 to %d, 0 for the default, or %d for none", o.MinReplicas, maxReplicas, NoReplicas)
	}
	if o.Retention.Messages < 0 || o.Retention.Bytes < 0 || o.Retention.Age < 0 {
		return nil, errors.New("retention: messages, bytes and age must be 0 (no limit) or more")
	}
	if o.KeyPrefix == "" {
		o.KeyPrefix = "chat"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	keys, err := newGlobalKeys(o.KeyPrefix)
	if err != nil {
		return nil, err
	}

	s := &Store{
		opt: o, form: target.form, target: target, keys: keys,
		log:     o.Logger.With("component", "redisstore"),
		present: outage{place: "presence", access: trouble.Writes},
		settled: outage{place: "the log's settings", access: trouble.Reads},
		marked:  make(chan int, o.Partitions),
		cmd:     target.connect(commandPool, 0),
		past:    target.connect(pastPool, 0),
		tail:    target.connect(tailPool+3*o.Partitions, tailSlice+tailGrace),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	for n := range o.Partitions {
		p := &partition{n: n, keys: newPartKeys(o.KeyPrefix, n), perEntry: 1}
		place := fmt.Sprintf("partition %d", n)
		p.reads = outage{place: place, access: trouble.Reads}
		p.writes = outage{place: place, access: trouble.Writes}
		p.tidy = outage{place: "retention in " + place, access: trouble.Writes}
		s.parts = append(s.parts, p)
		s.probes.add(&p.writes, &p.replicas, p.keys.meta, "")
	}
	s.trouble = trouble.New("redis", s.log, o.Failed)
	s.tidy.Go(s.keepTidy)
	s.tidy.Go(s.keepWatch)
	return s, nil
}

// Close ends every call under way and the store's goroutines.
func (s *Store) Close() error {
	s.cancel(errClosed)
	s.tidy.Wait()
	defer s.trouble.Close()
	err := errors.Join(s.cmd.close(), s.past.close(), s.tail.close())
	if errors.Is(err, redis.ErrClosed) {
		return nil // closed before
	}
	return err
}

// Partitions is the number of partitions.
func (s *Store) Partitions() int { return len(s.parts) }

// within gives ctx that also ends when the store is closed.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
