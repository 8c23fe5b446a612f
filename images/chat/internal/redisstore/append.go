package redisstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

const (
	// replicaWait is how long one try waits for replicas. A healthy replica
	// takes a millisecond; one that takes longer is on its way out.
	replicaWait = time.Second
	// answerMargin is what must be left of a deadline, after the wait, for
	// the answer to come back.
	answerMargin = 50 * time.Millisecond
)

// digest names a key in the keys hashes: of fixed size, and shorter than most
// keys, since each is kept for a day and more. 128 bits of SHA-256: nobody
// makes two keys that collide.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return string(sum[:16])
}

// Append implements chat.Store.
func (s *Store) Append(ctx context.Context, part int, drafts []chat.Draft) ([]chat.Appended, error) {
	if len(drafts) == 0 || len(drafts) > chat.MaxBatch {
		return nil, fmt.Errorf("append %d drafts: 1 to %d are allowed", len(drafts), chat.MaxBatch)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.agree(ctx); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	p := s.parts[part]
	b := newBatch(drafts, s.stepArgs())
	var got []chat.Appended
	err := s.try(ctx, s.cmd, &p.away, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		fence, _ := p.fenceArgs()
		copy(b.args, fence[:])
		reply, err := s.runAppend(ctx, c, p.keys.all, b.args)
		if err != nil {
			return err
		}
		got, err = s.appended(p, b, reply)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return got, nil
}

// batch is the drafts as lua/append.lua takes them.
type batch struct {
	args  []any
	first []int // for each draft, the place in the script's batch
	again []bool
	n     int
}

func newBatch(drafts []chat.Draft, steps [3]any) *batch {
	b := &batch{first: make([]int, len(drafts)), again: make([]bool, len(drafts))}
	places := make(map[string]int, len(drafts))
	topics := make(map[string]int)
	var names, digests, records []any
	bytes := 0
	for i, d := range drafts {
		if at, ok := places[d.Key]; ok { // twice in one batch
			b.first[i], b.again[i] = at, true
			continue
		}
		b.first[i], places[d.Key] = b.n, b.n
		b.n++
		t, ok := topics[d.Topic]
		if !ok {
			t = len(names)
			topics[d.Topic] = t
			names = append(names, d.Topic)
		}
		digests = append(digests, digest(d.Key))
		records = append(records, t, chat.AppendRecord(make([]byte, 0, d.Size()+16), d))
		bytes += d.Size()
	}
	b.args = make([]any, 0, 10+len(names)+len(digests)+len(records))
	b.args = append(b.args, "", 0, 0, "", bytes, steps[0], steps[1], steps[2], b.n, len(names))
	b.args = append(b.args, names...)
	b.args = append(b.args, digests...)
	b.args = append(b.args, records...)
	return b
}

// errFewReplicas means that the messages are in the master's log, but not yet
// known to be anywhere else.
var errFewReplicas = errors.New("too few replicas have acknowledged in time; " +
	"without replicas, set the minimum of replicas to none")

// runAppend sends the script and, on the same connection, the wait for the
// replicas in one go.
func (s *Store) runAppend(ctx context.Context, c *redis.Client, keys []string, args []any) ([]any, error) {
	for loaded := false; ; loaded = true {
		pipe := c.Pipeline()
		run := appendScript.EvalSha(ctx, pipe, keys, args...)
		var wait *redis.Cmd
		if s.opt.MinReplicas > 0 {
			wait = pipe.Do(ctx, "wait", s.opt.MinReplicas, waitMillis(ctx))
		}
		_, _ = pipe.Exec(ctx) // each command has its error
		reply, err := run.Slice()
		if redis.HasErrorPrefix(err, "NOSCRIPT") && !loaded {
			if err := appendScript.Load(ctx, c).Err(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil || wait == nil {
			return reply, err
		}
		n, err := wait.Int()
		if err == nil && n < s.opt.MinReplicas {
			err = errFewReplicas
		}
		return reply, err
	}
}

// waitMillis is how long WAIT may take: never 0, which is for ever.
func waitMillis(ctx context.Context) int64 {
	wait := replicaWait
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)-answerMargin)
	}
	return max(1, wait.Milliseconds())
}

// appended reads the script's answer.
func (s *Store) appended(p *partition, b *batch, reply []any) ([]chat.Appended, error) {
	bad := &formError{what: "answer of append.lua", where: p.keys.log}
	if len(reply) < 4 || len(reply)%2 != 0 {
		return nil, bad
	}
	epoch, _ := reply[0].(string)
	headText, _ := reply[1].(string)
	entryText, _ := reply[2].(string)
	head, err := parsePos(headText)
	if err != nil {
		return nil, bad
	}
	known := make(map[int]chat.Pos)
	for i := 4; i < len(reply); i += 2 {
		at, _ := reply[i].(int64)
		text, _ := reply[i+1].(string)
		if known[int(at)], err = parsePos(text); err != nil {
			return nil, bad
		}
	}
	var entry chat.Pos
	if entryText != "" {
		if entry, err = parseEntryID(entryText); err != nil {
			return nil, bad
		}
	}
	byPlace := make([]chat.Appended, b.n)
	idx := 0
	for at := range byPlace {
		pos, dup := known[at]
		if !dup {
			pos = chat.Pos{Ms: entry.Ms, Seq: entry.Seq, Idx: uint8(idx)}
			idx++
		}
		byPlace[at] = chat.Appended{ID: chat.ID{Pos: pos, Part: uint8(p.n)}, Duplicate: dup}
	}
	s.learn(p, epoch, head)
	if marked, _ := reply[3].(int64); marked == 1 {
		select {
		case s.marked <- p.n:
		default: // there is work enough in sight
		}
	}
	got := make([]chat.Appended, len(b.first))
	for i, at := range b.first {
		got[i] = byPlace[at]
		got[i].Duplicate = got[i].Duplicate || b.again[i]
	}
	return got, nil
}

// parseEntryID reads a stream's ms-seq.
func parseEntryID(s string) (chat.Pos, error) {
	return parsePos(s + "-0")
}

// parsePos reads ms-seq-idx.
func parsePos(s string) (p chat.Pos, err error) {
	field := func(bits int) uint64 {
		i := 0
		for i < len(s) && s[i] != '-' {
			i++
		}
		v, e := strconv.ParseUint(s[:i], 10, bits)
		s = s[min(i+1, len(s)):]
		err = errors.Join(err, e)
		return v
	}
	p = chat.Pos{Ms: field(48), Seq: uint32(field(32)), Idx: uint8(field(8))}
	if s != "" {
		err = errors.Join(err, errors.New("more than a position"))
	}
	return p, err
}
