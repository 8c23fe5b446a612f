package redisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

const (
	// replicaWait is how long one try waits for replicas. A healthy replica
	// takes a millisecond; one that takes longer is on its way out.
	replicaWait = time.Second
	// answerMargin is what must be left of a deadline, after the wait, for
	// the answer to come back; on a loaded machine, too.
	answerMargin = 150 * time.Millisecond
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
	b := newBatch(drafts, p.n)
	err := s.try(ctx, s.cmd, &p.away, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		// Once, as a rule; again without the keys that turn out to be known.
		for len(b.open) > 0 {
			reply, err := s.runAppend(ctx, c, p.keys.all, b.args(p.fenceArgs(), s.stepArgs()))
			if err != nil {
				return err
			}
			if err := s.appended(p, b, reply); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	return b.results(), nil
}

// batch is an append under way.
type batch struct {
	drafts []chat.Draft
	open   []int // of drafts: those that the log has not answered for
	first  []int // of each draft: itself, or the earlier one with its key
	done   []chat.Appended
	part   uint8
}

func newBatch(drafts []chat.Draft, part int) *batch {
	b := &batch{
		drafts: drafts, part: uint8(part),
		open: make([]int, 0, len(drafts)), first: make([]int, len(drafts)), done: make([]chat.Appended, len(drafts)),
	}
	seen := make(map[string]int, len(drafts))
	for i, d := range drafts {
		at, again := seen[d.Key]
		if !again {
			at = i
			seen[d.Key] = i
			b.open = append(b.open, i)
		}
		b.first[i] = at
	}
	return b
}

// args is what is open as lua/append.lua takes it.
func (b *batch) args(fence [4]any, steps [3]any) []any {
	type use struct{ at, count, last int }
	topics := make(map[string]*use)
	var names []string
	bytes := 0
	for _, i := range b.open {
		bytes += b.drafts[i].Size()
	}
	blob := make([]byte, 0, bytes+len(b.open)*16)
	args := make([]any, 11, 11+len(b.open)+3)
	for idx, i := range b.open {
		d := b.drafts[i]
		t, ok := topics[d.Topic]
		if !ok {
			t = &use{at: len(names)}
			topics[d.Topic] = t
			names = append(names, d.Topic)
		}
		t.count, t.last = t.count+1, idx
		blob = appendMessage(blob, t.at, d)
		args = append(args, digest(d.Key))
	}
	for _, name := range names {
		args = append(args, name, topics[name].count, topics[name].last)
	}
	copy(args, fence[:])
	args[4], args[5], args[6], args[7] = bytes, steps[0], steps[1], steps[2]
	args[8], args[9], args[10] = len(b.open), len(names), blob
	return args
}

// results is one Appended per draft, once nothing is open.
func (b *batch) results() []chat.Appended {
	got := make([]chat.Appended, len(b.first))
	for i, at := range b.first {
		got[i] = b.done[at]
		got[i].Duplicate = got[i].Duplicate || at != i
	}
	return got
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

// appended reads the script's answer: either all that was open is done, or
// what is known is.
func (s *Store) appended(p *partition, b *batch, reply []any) error {
	bad := &formError{what: "answer of append.lua", where: p.keys.log}
	if len(reply) < 4 || len(reply)%2 != 0 {
		return bad
	}
	epoch, _ := reply[0].(string)
	headText, _ := reply[1].(string)
	entryText, _ := reply[2].(string)
	head, err := parsePos(headText)
	if err != nil || (entryText == "") != (len(reply) > 4) {
		return bad
	}
	s.learn(p, epoch, head)

	if entryText == "" {
		for i := 4; i < len(reply); i += 2 {
			place, ok := reply[i].(int64)
			text, _ := reply[i+1].(string)
			pos, err := parsePos(text)
			if err != nil || !ok || place < 0 || int(place) >= len(b.open) {
				return bad
			}
			b.done[b.open[place]] = chat.Appended{ID: chat.ID{Pos: pos, Part: b.part}, Duplicate: true}
		}
		b.open = slices.DeleteFunc(b.open, func(i int) bool { return b.done[i].Duplicate })
		return nil
	}

	entry, err := parseEntryID(entryText)
	if err != nil {
		return bad
	}
	for idx, i := range b.open {
		entry.Idx = uint8(idx)
		b.done[i] = chat.Appended{ID: chat.ID{Pos: entry, Part: b.part}}
	}
	b.open = nil
	if marked, _ := reply[3].(int64); marked == 1 {
		select {
		case s.marked <- p.n:
		default: // there is work enough in sight
		}
	}
	return nil
}

// parseEntryID reads a stream's ms-seq.
func parseEntryID(s string) (chat.Pos, error) {
	return parsePos(s + "-0")
}

// parsePos reads ms-seq-idx.
func parsePos(s string) (chat.Pos, error) {
	msText, rest, _ := strings.Cut(s, "-")
	seqText, idxText, _ := strings.Cut(rest, "-")
	ms, err1 := strconv.ParseUint(msText, 10, 48)
	seq, err2 := strconv.ParseUint(seqText, 10, 32)
	idx, err3 := strconv.ParseUint(idxText, 10, 8)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return chat.Pos{}, fmt.Errorf("parse position: %w", err)
	}
	return chat.Pos{Ms: ms, Seq: uint32(seq), Idx: uint8(idx)}, nil
}
