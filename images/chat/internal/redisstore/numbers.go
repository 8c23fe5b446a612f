package redisstore

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// The numbers beside messages. Keys: keys.go; what is in them: lua/numbers.lua.

var _ chat.Numbers = (*Store)(nil)

const (
	// forgetStep is how many of each kind one call of forget.lua removes:
	// about a millisecond of Redis's time.
	forgetStep = 500
	// atStep is how many positions one call of at.lua looks up.
	atStep = 32
	// followMost is how many changes are read at once where the stream of
	// updates has a gap.
	followMost = 1000
)

// Vote implements chat.Numbers.
func (s *Store) Vote(ctx context.Context, part int, ballots []chat.Ballot) ([]chat.Change, error) {
	if len(ballots) == 0 || len(ballots) > chat.MaxBatch {
		return nil, fmt.Errorf("count %d ballots: 1 to %d are allowed", len(ballots), chat.MaxBatch)
	}
	args := make([]any, 1, 1+4*len(ballots))
	args[0] = len(ballots)
	for _, b := range ballots {
		args = append(args, b.Message.Pos.Hex(), string(b.Voter[:]), int(b.Vote), b.Topic)
	}
	p := s.parts[part]
	var reply []any
	err := s.write(ctx, p, func(ctx context.Context, c *redis.Client) (err error) {
		reply, err = s.runDurable(ctx, c, &p.replicas, voteScript, p.keys.vote, args).Slice()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("vote: %w", err)
	}
	if len(reply) != len(ballots) {
		return nil, errAnswer("the answer of vote.lua")
	}
	list := make([]chat.Change, len(ballots))
	for i, b := range ballots {
		if text, _ := reply[i].(string); text != "" {
			if list[i], err = parseChange(b.Message, text); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// Delete implements chat.Numbers.
func (s *Store) Delete(ctx context.Context, id chat.ID, topic string) (chat.Change, error) {
	p := s.parts[id.Part]
	var text string
	err := s.write(ctx, p, func(ctx context.Context, c *redis.Client) error {
		var err error
		text, err = s.runDurable(ctx, c, &p.replicas, markScript, p.keys.vote[:5], []any{id.Pos.Hex(), topic}).Text()
		return err
	})
	if err != nil {
		return chat.Change{}, fmt.Errorf("delete: %w", err)
	}
	if text == "" {
		return chat.Change{}, nil
	}
	return parseChange(id, text)
}

// write runs what changes a partition, as Append does.
func (s *Store) write(ctx context.Context, p *partition, op func(context.Context, *redis.Client) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.agree(ctx, p, &p.writes); err != nil {
		return err
	}
	return s.try(ctx, s.cmd, &p.writes, p.keys.log, op)
}

// ask runs what asks a partition.
func (s *Store) ask(ctx context.Context, p *partition, op func(context.Context, *redis.Client) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return s.try(ctx, s.cmd, &p.reads, p.keys.log, op)
}

// Tallies implements chat.Numbers.
func (s *Store) Tallies(ctx context.Context, part int, at []chat.Pos, voter chat.Voter) ([]chat.Counted, error) {
	if len(at) == 0 {
		return nil, nil
	}
	p := s.parts[part]
	fields := make([]string, len(at))
	for i, pos := range at {
		fields[i] = pos.Hex()
	}
	votes := make([]string, len(at))
	for i := range votes {
		votes[i] = fields[i] + string(voter[:])
	}
	var (
		numbers  []any
		up, down []float64
	)
	err := s.ask(ctx, p, func(ctx context.Context, c *redis.Client) error {
		if voter == (chat.Voter{}) {
			var err error
			numbers, err = c.HMGet(ctx, p.keys.numbers, fields...).Result()
			return err
		}
		pipe := c.Pipeline()
		ups, downs := zmscore(ctx, pipe, p.keys.up, votes), zmscore(ctx, pipe, p.keys.down, votes)
		tallies := pipe.HMGet(ctx, p.keys.numbers, fields...)
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		numbers, up, down = tallies.Val(), scored(ups.Val()), scored(downs.Val())
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read numbers: %w", err)
	}
	list := make([]chat.Counted, len(at))
	for i, pos := range at {
		list[i].ID = chat.ID{Pos: pos, Part: uint8(part)}
		if text, ok := numbers[i].(string); ok {
			if list[i].Change, err = parseChange(list[i].ID, text); err != nil {
				return nil, err
			}
		}
		if i < len(up) && i < len(down) {
			list[i].Vote = int8(up[i] - down[i])
		}
	}
	return list, nil
}

// zmscore asks which members a sorted set has. go-redis's own ZMScore cannot
// tell a score of 0 from no member.
func zmscore(ctx context.Context, pipe redis.Pipeliner, key string, members []string) *redis.Cmd {
	args := make([]any, 0, 2+len(members))
	args = append(args, "zmscore", key)
	for _, m := range members {
		args = append(args, m)
	}
	return pipe.Do(ctx, args...)
}

// scored gives 1 for each member that there is, else 0.
func scored(reply any) []float64 {
	list, _ := reply.([]any)
	has := make([]float64, len(list))
	for i, v := range list {
		if v != nil {
			has[i] = 1
		}
	}
	return has
}

// Replies implements chat.Numbers.
func (s *Store) Replies(ctx context.Context, parent chat.ID, before chat.Pos, most int) ([]chat.Pos, error) {
	p := s.parts[parent.Part]
	prefix := parent.Pos.Hex()
	var found []string
	err := s.ask(ctx, p, func(ctx context.Context, c *redis.Client) (err error) {
		found, err = c.ZRangeArgs(ctx, redis.ZRangeArgs{
			Key: p.keys.replies, ByLex: true, Rev: true, Count: int64(max(most, 1)),
			Start: "(" + prefix + before.Hex(), Stop: "(" + prefix, // from the end
		}).Result()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read replies: %w", err)
	}
	list := make([]chat.Pos, len(found))
	for i, member := range found {
		if list[len(found)-1-i], err = chat.ParsePos(strings.TrimPrefix(member, prefix)); err != nil {
			return nil, errAnswer("the replies to a message")
		}
	}
	return list, nil
}

// Changed implements chat.Numbers.
func (s *Store) Changed(ctx context.Context, part int, after chat.Rev, most int) ([]chat.Change, error) {
	p := s.parts[part]
	most = max(most, 1)
	for {
		list, full, err := s.changed(ctx, p, after, most)
		if err != nil {
			return nil, fmt.Errorf("read what changed: %w", err)
		}
		if len(list) > 0 || !full {
			return list, nil
		}
	}
}

// changed asks for a page of the index of changes and then for the numbers,
// which may have changed again by then.
func (s *Store) changed(ctx context.Context, p *partition, after chat.Rev, most int) (list []chat.Change, full bool, err error) {
	var numbers []any
	var index []redis.Z
	err = s.ask(ctx, p, func(ctx context.Context, c *redis.Client) (err error) {
		index, err = c.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
			Key: p.keys.changes, ByScore: true, Start: "(" + strconv.FormatUint(uint64(after), 10), Stop: "+inf", Count: int64(most),
		}).Result()
		if err != nil || len(index) == 0 {
			return err
		}
		fields := make([]string, len(index))
		for i, z := range index {
			fields[i], _ = z.Member.(string)
		}
		numbers, err = c.HMGet(ctx, p.keys.numbers, fields...).Result()
		return err
	})
	if err != nil || len(index) == 0 {
		return nil, false, err
	}
	full = len(index) == most
	last := chat.Rev(index[len(index)-1].Score)
	for i, z := range index {
		hex, _ := z.Member.(string)
		text, ok := numbers[i].(string)
		if !ok {
			continue // forgotten meanwhile
		}
		pos, err := chat.ParsePos(hex)
		if err != nil {
			return nil, false, errAnswer("the changes of a partition")
		}
		change, err := parseChange(chat.ID{Pos: pos, Part: uint8(p.n)}, text)
		if err != nil {
			return nil, false, err
		}
		// What has changed again comes with a later page, if there is one: the
		// reader must not go on past what lies between.
		if !full || change.Rev <= last {
			list = append(list, change)
		}
	}
	slices.SortFunc(list, func(a, b chat.Change) int { return cmp.Compare(a.Rev, b.Rev) })
	return list, full, nil
}

// Follow implements chat.Numbers.
func (s *Store) Follow(ctx context.Context, part int, after chat.Rev, wait time.Duration) ([]chat.Change, chat.Rev, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	var list []chat.Change
	var err error
	if after == 0 {
		after, err = s.rev(ctx, p)
	} else {
		list, after, err = s.follow(ctx, p, after, time.Now().Add(wait))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("follow changes: %w", err)
	}
	return list, after, nil
}

// rev gives the last Rev of a partition, 1 if there was none.
func (s *Store) rev(ctx context.Context, p *partition) (chat.Rev, error) {
	var text string
	err := s.ask(ctx, p, func(ctx context.Context, c *redis.Client) (err error) {
		text, err = c.HGet(ctx, p.keys.meta, "rev").Result()
		if errors.Is(err, redis.Nil) {
			text, err = "1", nil
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, errAnswer("the rev of a partition")
	}
	return chat.Rev(max(n, 1)), nil
}

// follow reads the stream of updates, and the index of changes where the
// stream has a gap: it is short.
func (s *Store) follow(ctx context.Context, p *partition, after chat.Rev, end time.Time) ([]chat.Change, chat.Rev, error) {
	for {
		slice := min(tailSlice, time.Until(end))
		ms := int64(-1)
		if slice > 0 {
			ms = int64(max(1, (slice+time.Millisecond-1)/time.Millisecond)) // 0 would be for ever
		}
		var entries []any
		err := s.try(ctx, s.tail, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			ctx, cancel := context.WithTimeout(ctx, max(slice, 0)+tailGrace)
			defer cancel()
			entries, err = xread(ctx, c, p.keys.updates, fmt.Sprintf("%d-0", after), 64, ms)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		if len(entries) > 0 {
			list, through, whole := p.updates(entries, after)
			if whole {
				return list, through, nil
			}
			list, err := s.Changed(ctx, p.n, after, followMost)
			if err != nil {
				return nil, 0, err
			}
			if len(list) > 0 {
				return list, list[len(list)-1].Rev, nil
			}
			return nil, through, nil // all are forgotten
		}
		if slice <= 0 || ctx.Err() != nil || !time.Now().Before(end) {
			return nil, after, nil
		}
	}
}

// xread reads a stream after an id; block is in milliseconds, below 0: not.
func xread(ctx context.Context, c *redis.Client, stream, after string, count int, block int64) ([]any, error) {
	args := []any{"xread", "count", count, "streams", stream, after}
	if block >= 0 {
		args = []any{"xread", "count", count, "block", block, "streams", stream, after}
	}
	reply, err := c.Do(ctx, args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if list, ok := reply.([]any); ok && len(list) == 1 {
		if pair, ok := list[0].([]any); ok && len(pair) == 2 {
			if entries, ok := pair[1].([]any); ok {
				return entries, nil
			}
		}
	}
	if byStream, ok := reply.(map[any]any); ok { // RESP3
		if entries, ok := byStream[stream].([]any); ok {
			return entries, nil
		}
	}
	return nil, errAnswer("the answer of XREAD")
}

// updates reads entries of the stream of updates. whole is false where the
// first does not follow on after, or something cannot be read.
func (p *partition) updates(entries []any, after chat.Rev) (list []chat.Change, through chat.Rev, whole bool) {
	through = after
	whole = true
	for _, raw := range entries {
		pair, _ := raw.([]any)
		if len(pair) != 2 {
			return nil, through, false
		}
		id, _ := pair[0].(string)
		fields, _ := pair[1].([]any)
		rev, err := strconv.ParseUint(strings.TrimSuffix(id, "-0"), 10, 64)
		if err != nil || len(fields) < 2 {
			return nil, through, false
		}
		before, _ := fields[1].(string)
		if prev, err := strconv.ParseUint(before, 10, 64); err != nil || chat.Rev(max(prev, 1)) != through {
			whole = false
		}
		through = chat.Rev(rev)
		for i := 2; i+1 < len(fields); i += 2 {
			hex, _ := fields[i].(string)
			text, _ := fields[i+1].(string)
			pos, err1 := chat.ParsePos(hex)
			change, err2 := parseChange(chat.ID{Pos: pos, Part: uint8(p.n)}, text)
			if err1 != nil || err2 != nil {
				whole = false
				continue
			}
			list = append(list, change)
		}
	}
	return list, through, whole
}

// At implements chat.Numbers.
func (s *Store) At(ctx context.Context, part int, at []chat.Pos) ([]chat.Event, error) {
	p := s.parts[part]
	var list []chat.Event
	for chunk := range slices.Chunk(at, atStep) {
		args := make([]any, 0, 2*len(chunk))
		for _, pos := range chunk {
			args = append(args, entryID(pos), int(pos.Idx))
		}
		var reply []string
		err := s.ask(ctx, p, func(ctx context.Context, c *redis.Client) (err error) {
			reply, err = atScript.Run(ctx, c, []string{p.keys.log}, args...).StringSlice()
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up messages: %w", err)
		}
		if len(reply) != 2*len(chunk) {
			return nil, errAnswer("the answer of at.lua")
		}
		for i, pos := range chunk {
			if record := reply[2*i+1]; record != "" {
				list = append(list, chat.ParseRecord(chat.ID{Pos: pos, Part: uint8(part)}, reply[2*i], record))
			}
		}
	}
	return list, nil
}

// Known implements chat.Numbers.
func (s *Store) Known(ctx context.Context, part int, key chat.KeyDigest) (chat.ID, bool, error) {
	p := s.parts[part]
	var found [keyGenerations]*redis.StringCmd
	err := s.ask(ctx, p, func(ctx context.Context, c *redis.Client) error {
		pipe := c.Pipeline()
		for g, hash := range p.keys.keys {
			found[g] = pipe.HGet(ctx, hash, string(key[:]))
		}
		_, err := pipe.Exec(ctx)
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return chat.ID{}, false, fmt.Errorf("look up a key: %w", err)
	}
	for _, f := range found {
		if f.Err() != nil {
			continue
		}
		pos, err := parsePos(f.Val())
		if err != nil {
			return chat.ID{}, false, errAnswer("the position of a key")
		}
		return chat.ID{Pos: pos, Part: uint8(part)}, true, nil
	}
	return chat.ID{}, false, nil
}

// forget removes what is beside messages that retention has removed.
func (s *Store) forget(p *partition) {
	for more := 1; more == 1 && s.ctx.Err() == nil; {
		err := s.try(s.ctx, s.cmd, &p.tidy, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			more, err = forgetScript.Run(ctx, c, p.keys.forget, forgetStep).Int()
			return err
		})
		if err != nil {
			return // try has logged it
		}
	}
}

// parseChange reads a message's numbers: "rev up down replies deleted topic".
func parseChange(id chat.ID, text string) (chat.Change, error) {
	f := strings.SplitN(text, " ", 6)
	if len(f) != 6 {
		return chat.Change{}, errAnswer("the numbers of a message")
	}
	var n [4]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
			return chat.Change{}, errAnswer("the numbers of a message")
		}
	}
	return chat.Change{
		ID: id, Topic: f[5], Rev: chat.Rev(n[0]),
		Tally: chat.Tally{Up: n[1], Down: n[2], Replies: n[3], Deleted: f[4] == "1"},
	}, nil
}
