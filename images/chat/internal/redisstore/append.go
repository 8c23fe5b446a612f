package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// Append implements chat.Log.
func (s *Store) Append(ctx context.Context, part int, events []chat.Event) ([]chat.Appended, error) {
	if len(events) == 0 || len(events) > chat.MaxBatch {
		return nil, fmt.Errorf("append %d events: 1 to %d are allowed", len(events), chat.MaxBatch)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	if err := s.agree(ctx, p, &p.writes); err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	b := newBatch(events, p.n)
	err := s.attempt(ctx, s.cmd, &p.writes, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		// Once, as a rule; again without the keys that turn out to be known.
		for len(b.open) > 0 {
			keys := p.keys.all
			if b.replies {
				keys = p.keys.replying
			}
			run := s.runDurable(ctx, c, &p.replicas, appendScript, keys, b.args(p.fenceArgs(), s.stepArgs()))
			reply, err := run.Slice()
			if err != nil {
				b.tried(run.Val())
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
	if b.fresh { // repeats are answered by a full Redis, too
		s.trouble.Works(p.writes.place, p.writes.access)
	}
	return b.results(), nil
}

// appended reads the script's answer: either all that was open is done, or
// what is known is.
func (s *Store) appended(p *partition, b *batch, reply []any) error {
	bad := errAnswer("the answer of append.lua")
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
			if !ok || place < 0 || int(place) >= len(b.open) {
				return bad
			}
			done := &b.done[b.open[place]]
			if done.Refused = text == ""; done.Refused {
				continue
			}
			pos, err := parsePos(text)
			if err != nil {
				return bad
			}
			// An event that an earlier try of this call has appended is no
			// repeat.
			ours := b.mine[b.open[place]] == pos
			*done = chat.Appended{ID: chat.ID{Pos: pos, Part: b.part}, Duplicate: !ours}
			b.fresh = b.fresh || ours
		}
		b.open = slices.DeleteFunc(b.open, func(i int) bool { return b.done[i].ID != (chat.ID{}) || b.done[i].Refused })
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
	b.open, b.fresh = nil, true
	if marked, _ := reply[3].(int64); marked == 1 {
		select {
		case s.marked <- p.n:
		default: // keepTidy has enough to do
		}
	}
	return nil
}
