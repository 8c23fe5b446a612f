package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// walkBudget is how many bytes of entries one call of history.lua looks at:
// about half a millisecond of Redis's time, so that other calls need not wait
// long.
const walkBudget = 256 << 10

// Before implements chat.Log.
func (s *Store) Before(ctx context.Context, part int, topic string, before chat.Pos, most int) ([]chat.Event, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	find := s.walk
	if topic == "" {
		find = s.beforeAll
	}
	got, err := find(ctx, p, topic, before, max(most, 1))
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	slices.Reverse(got)
	return got, nil
}

// beforeAll gives the events of all topics before a bound, latest first.
func (s *Store) beforeAll(ctx context.Context, p *partition, _ string, before chat.Pos, most int) ([]chat.Event, error) {
	var all []chat.Event
	from := entryID(before)
	for len(all) < most {
		p.mu.Lock()
		count := p.entriesFor(most-len(all)) + 1
		p.mu.Unlock()
		var entries []any
		err := s.try(ctx, s.past, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			entries, err = c.Do(ctx, "xrevrange", p.keys.log, from, "-", "count", count).Slice()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, raw := range entries {
			e, err := parseEntry(raw, p.n)
			if err != nil {
				return nil, err
			}
			from = "(" + entryID(e.at)
			for _, event := range slices.Backward(e.events(nil)) {
				if len(all) < most && event.ID.Pos.Compare(before) < 0 {
					all = append(all, event)
				}
			}
		}
		if len(entries) < count {
			break
		}
	}
	return all, nil
}

// walk gives the events of a topic before a bound, latest first.
func (s *Store) walk(ctx context.Context, p *partition, topic string, before chat.Pos, most int) ([]chat.Event, error) {
	var all []chat.Event
	mode, chain, scan := any("find"), any(""), any("")
	keys := []string{p.keys.log, p.keys.topics}
	for mode != "done" {
		var reply []any
		err := s.try(ctx, s.past, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			reply, err = historyScript.Run(ctx, c, keys, topic, before.Ms, before.Seq, int(before.Idx),
				most-len(all), walkBudget, mode, chain, scan).Slice()
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(reply) < 3 || len(reply)%3 != 0 {
			return nil, errAnswer("the answer of history.lua")
		}
		mode, chain, scan = reply[0], reply[1], reply[2]
		for i := 3; i < len(reply); i += 3 {
			id, _ := reply[i].(string)
			idx, _ := reply[i+1].(int64)
			record, _ := reply[i+2].(string)
			at, err := parseEntryID(id)
			if err != nil {
				return nil, errAnswer("the answer of history.lua")
			}
			at.Idx = uint8(idx)
			all = append(all, chat.ParseRecord(chat.ID{Pos: at, Part: uint8(p.n)}, topic, record))
		}
	}
	return all, nil
}
