package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

const (
	// maxEntries bounds what one call fetches, while the average batch is not
	// known or has just changed: 5 MB if all are full of 300 B events.
	maxEntries = 64
)

// Read implements chat.Log.
func (s *Store) Read(ctx context.Context, part int, after chat.Pos, most int, wait time.Duration) (chat.Batch, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	got, err := s.read(ctx, p, after, max(most, 1), time.Now().Add(wait))
	if err != nil {
		return chat.Batch{}, fmt.Errorf("read: %w", err)
	}
	batch := chat.Batch{After: after, Events: got.events, Through: after, Gap: len(got.events) > 0 && (got.broken || got.beyond(after))}
	if len(got.events) > 0 {
		batch.Through = got.events[len(got.events)-1].ID.Pos
	}
	return batch, nil
}

// fetched is the events that one command found, and where the log began right
// after it, unless the first of them says that it follows what was read before.
type fetched struct {
	events []chat.Event
	floor  chat.Pos // of the last entry that retention has removed
	broken bool     // an entry does not name the one that was read before it
}

// beyond reports whether retention has removed entries after that of a position.
func (f fetched) beyond(after chat.Pos) bool {
	return f.floor.Compare(chat.Pos{Ms: after.Ms, Seq: after.Seq}) > 0
}

func (s *Store) read(ctx context.Context, p *partition, after chat.Pos, most int, end time.Time) (fetched, error) {
	if err := s.acquaint(ctx, p); err != nil {
		return fetched{}, err
	}
	// Redis knows entries, the positions within them are ours. Unless after is
	// known to be the last of its entry, that entry may hold more.
	p.mu.Lock()
	atEnd := after == p.end || after.IsZero()
	p.mu.Unlock()
	if !atEnd || !time.Now().Before(end) {
		got, err := s.fetch(ctx, p, after, most, s.past, &p.reads, func(ctx context.Context, c *redis.Client, count int, floorToo bool) ([]any, chat.Pos, error) {
			return ask(ctx, c, p, floorToo, "xrange", p.keys.log, entryID(after), "+", "count", count)
		})
		if err != nil || len(got.events) > 0 {
			return got, err
		}
	}
	for {
		slice := min(tailSlice, time.Until(end))
		if slice <= 0 || ctx.Err() != nil {
			return fetched{}, nil
		}
		got, err := s.fetch(ctx, p, after, most, s.tail, &p.reads, func(ctx context.Context, c *redis.Client, count int, floorToo bool) ([]any, chat.Pos, error) {
			ms := max(1, (slice+time.Millisecond-1)/time.Millisecond) // 0 would be for ever
			ctx, cancel := context.WithTimeout(ctx, slice+tailGrace)
			defer cancel()
			streams, floor, err := ask(ctx, c, p, floorToo, "xread", "count", count, "block", int64(ms), "streams", p.keys.log, entryID(after))
			if err != nil || len(streams) == 0 {
				return nil, floor, err
			}
			if len(streams) == 1 {
				if stream, ok := streams[0].([]any); ok && len(stream) == 2 {
					if entries, ok := stream[1].([]any); ok {
						return entries, floor, nil
					}
				}
			}
			return nil, floor, errAnswer("the answer of XREAD")
		})
		if ctx.Err() != nil && err != nil {
			return fetched{}, context.Cause(ctx)
		}
		if err != nil || len(got.events) > 0 {
			return got, err
		}
	}
}

// ask sends a command and, where it is wanted, asks in the same write where the
// log begins: at the earliest once the command is done. Nothing found is no
// error.
func ask(ctx context.Context, c *redis.Client, p *partition, floorToo bool, command ...any) (found []any, floor chat.Pos, err error) {
	var (
		asked *redis.Cmd
		began *redis.StringCmd
	)
	if floorToo {
		pipe := c.Pipeline()
		asked, began = pipe.Do(ctx, command...), pipe.HGet(ctx, p.keys.meta, "floor")
		_, _ = pipe.Exec(ctx) // each command has its own error
	} else {
		asked = c.Do(ctx, command...)
	}
	if found, err = asked.Slice(); err != nil && !errors.Is(err, redis.Nil) {
		return nil, chat.Pos{}, err
	}
	if began == nil {
		return found, chat.Pos{}, nil
	}
	floor, err = readFloor(began)
	return found, floor, err
}

// readFloor reads where the log begins; zero: at its first entry.
func readFloor(began *redis.StringCmd) (chat.Pos, error) {
	text, err := began.Result()
	if errors.Is(err, redis.Nil) {
		return chat.Pos{}, nil
	}
	if err != nil {
		return chat.Pos{}, err
	}
	return parseEntryID(text)
}

// acquaint learns the epoch before the first read. Without it, nobody would
// notice that the log has lost its tail meanwhile.
func (s *Store) acquaint(ctx context.Context, p *partition) error {
	p.mu.Lock()
	known := p.epoch != ""
	p.mu.Unlock()
	if known {
		return nil
	}
	_, err := s.state(ctx, p)
	return err
}

// fetch asks for as many entries as hold about most events and gives those after
// a position.
func (s *Store) fetch(ctx context.Context, p *partition, after chat.Pos, most int, at nodes, away *outage,
	ask func(ctx context.Context, c *redis.Client, count int, floorToo bool) ([]any, chat.Pos, error),
) (got fetched, err error) {
	p.mu.Lock()
	generation := p.generation
	first := p.follows(after)
	count := p.entriesFor(most) + 1 // that of after may be among them
	p.mu.Unlock()
	var entries []any
	err = s.try(ctx, at, away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
		entries, got.floor, err = ask(ctx, c, count, first == "")
		return err
	})
	if err != nil || len(entries) == 0 {
		return got, err
	}
	var all []chat.Event
	used, before, follows := 0, first, false // follows: nothing is missing before the first entry
	for _, raw := range entries {
		e, err := parseEntry(raw, p.n)
		if err != nil {
			return got, err
		}
		follows = follows || used == 0 && (e.id == first || e.before == first)
		if e.id != before {
			got.broken = got.broken || before != "" && e.before != "" && e.before != before
			if before = e.id; e.before == "" { // of an earlier version, or not ours: what is next may not name it
				before = ""
			}
		}
		used++
		if all == nil { // readers keep it: no larger than it has to be
			all = make([]chat.Event, 0, min(most, e.count()*len(entries)))
		}
		all = e.events(all)
		if used == 1 { // it may be the entry that after is in
			all = slices.DeleteFunc(all, func(e chat.Event) bool { return e.ID.Pos.Compare(after) <= 0 })
		}
		if len(all) >= most {
			break
		}
	}
	if first != "" && !follows {
		err := s.try(ctx, at, away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			got.floor, err = readFloor(c.HGet(ctx, p.keys.meta, "floor"))
			return err
		})
		if err != nil {
			return fetched{}, err
		}
	}
	if got.broken {
		// What was read before is gone, and others have appended since: while
		// this process knows of it, the fence will find out.
		if _, err := s.state(ctx, p); err != nil {
			return fetched{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(all) > 0 && p.generation == generation {
		last := all[len(all)-1]
		p.end, p.endID = last.ID.Pos, before // whole entries were taken
		if last.Kind != chat.KindDamaged {
			p.raise(p.end) // a foreign entry is not part of what the fence guards
		}
		p.perEntry += (float64(len(all))/float64(used) - p.perEntry) / 4
	}
	got.events = all
	return got, nil
}

// follows gives the entry that has to be the one before what comes after a
// position; "" if that is not known. p.mu is held.
func (p *partition) follows(after chat.Pos) string {
	switch {
	case after.IsZero():
		return ""
	case after == p.end:
		return p.endID
	case after.Ms == p.known.Ms && after.Seq == p.known.Seq:
		return entryID(after)
	default:
		return ""
	}
}

// entriesFor is how many entries hold about n events. p.mu is held.
func (p *partition) entriesFor(n int) int {
	return int(min(maxEntries, math.Ceil(float64(n)/max(1, p.perEntry))))
}
