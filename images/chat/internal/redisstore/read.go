package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

const (
	// tailSlice is how long one XREAD blocks. go-redis cannot give up a read
	// when its context is cancelled, and a wait must end within a second of
	// that, so a wait is cut in slices. An idle tail thus costs Redis two
	// commands a second.
	tailSlice = 500 * time.Millisecond
	// tailGrace is how much later than the slice's end the answer may come
	// before the connection is given up; with the slice, below a second.
	tailGrace = 400 * time.Millisecond

	// maxEntries bounds what one call fetches, while the average batch is not
	// known or has just changed: 5 MB if all are full of 300 B messages.
	maxEntries = 64
)

// Read implements chat.Store.
func (s *Store) Read(ctx context.Context, part int, after chat.Pos, most int, wait time.Duration) ([]chat.Message, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	got, err := s.read(ctx, p, after, max(most, 1), time.Now().Add(wait))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return got, nil
}

func (s *Store) read(ctx context.Context, p *partition, after chat.Pos, most int, end time.Time) ([]chat.Message, error) {
	if err := s.acquaint(ctx, p); err != nil {
		return nil, err
	}
	// Positions within an entry are ours, Redis knows entries. Unless after is
	// known to be the last of its entry, that entry may hold more.
	p.mu.Lock()
	atEnd := after == p.end || after.IsZero()
	p.mu.Unlock()
	if !atEnd || !time.Now().Before(end) {
		got, err := s.fetch(ctx, p, after, most, s.cmd, &p.away, func(ctx context.Context, c *redis.Client, count int) ([]any, error) {
			return c.Do(ctx, "xrange", p.keys.log, entryID(after), "+", "count", count).Slice()
		})
		if err != nil || len(got) > 0 {
			return got, err
		}
	}
	for {
		slice := min(tailSlice, time.Until(end))
		if slice <= 0 || ctx.Err() != nil {
			return nil, nil
		}
		got, err := s.fetch(ctx, p, after, most, s.tail, &p.away, func(ctx context.Context, c *redis.Client, count int) ([]any, error) {
			ms := max(1, (slice+time.Millisecond-1)/time.Millisecond) // 0 would be for ever
			ctx, cancel := context.WithTimeout(ctx, slice+tailGrace)
			defer cancel()
			streams, err := c.Do(ctx, "xread", "count", count, "block", int64(ms), "streams", p.keys.log, entryID(after)).Slice()
			if errors.Is(err, redis.Nil) || err != nil {
				if errors.Is(err, redis.Nil) {
					err = nil
				}
				return nil, err
			}
			if len(streams) == 1 {
				if stream, ok := streams[0].([]any); ok && len(stream) == 2 {
					if entries, ok := stream[1].([]any); ok {
						return entries, nil
					}
				}
			}
			return nil, &formError{what: "answer of XREAD", where: p.keys.log}
		})
		if ctx.Err() != nil && err != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil || len(got) > 0 {
			return got, err
		}
	}
}

// acquaint learns the epoch before the first read: what was read under an
// unknown one would tell nothing about a tail that is lost.
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

// fetch asks for as many entries as hold about most messages and gives those
// after a position.
func (s *Store) fetch(ctx context.Context, p *partition, after chat.Pos, most int, at nodes, away *outage,
	ask func(ctx context.Context, c *redis.Client, count int) ([]any, error),
) ([]chat.Message, error) {
	p.mu.Lock()
	generation := p.generation
	count := p.entriesFor(most) + 1 // that of after may be among them
	p.mu.Unlock()
	var entries []any
	err := s.try(ctx, at, away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
		entries, err = ask(ctx, c, count)
		return err
	})
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	all := make([]chat.Message, 0, most)
	used := 0
	for _, raw := range entries {
		e, err := parseEntry(raw, p)
		if err != nil {
			return nil, err
		}
		used++
		if all, err = e.messages(all); err != nil {
			return nil, err
		}
		if used == 1 { // it may be the entry that after is in
			all = slices.DeleteFunc(all, func(m chat.Message) bool { return m.ID.Pos.Compare(after) <= 0 })
		}
		if len(all) >= most {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(all) > 0 && p.generation == generation {
		p.end = all[len(all)-1].ID.Pos // whole entries were taken
		p.raise(p.end)
		p.perEntry += (float64(len(all))/float64(used) - p.perEntry) / 4
	}
	return all, nil
}

// entriesFor is how many entries hold about n messages. p.mu is held.
func (p *partition) entriesFor(n int) int {
	return int(min(maxEntries, math.Ceil(float64(n)/max(1, p.perEntry))))
}

func entryID(p chat.Pos) string {
	b := strconv.AppendUint(make([]byte, 0, 26), p.Ms, 10)
	b = append(b, '-')
	return string(strconv.AppendUint(b, uint64(p.Seq), 10))
}

// formError means that what is in Redis is not what this program writes.
type formError struct{ what, where string }

func (e *formError) Error() string {
	return fmt.Sprintf("%s of %s is not in the form this program knows: "+
		"another program's data, or a later version's", e.what, e.where)
}

// entry is one entry of the log. Its form is in lua/append.lua.
type entry struct {
	p      *partition
	at     chat.Pos
	topics []string
	blob   string
}

// The messages of an entry are one string. For each message: a byte, the
// place of its topic in the entry's list; three bytes, little-endian, the
// length of its record; the record. lua/history.lua reads this too.
func appendMessage(blob []byte, topic int, d chat.Draft) []byte {
	at := len(blob)
	blob = append(blob, byte(topic), 0, 0, 0)
	blob = chat.AppendRecord(blob, d)
	n := len(blob) - at - 4
	blob[at+1], blob[at+2], blob[at+3] = byte(n), byte(n>>8), byte(n>>16)
	return blob
}

func parseEntry(raw any, p *partition) (entry, error) {
	bad := &formError{what: "entry", where: p.keys.log}
	pair, ok := raw.([]any)
	if !ok || len(pair) != 2 {
		return entry{}, bad
	}
	id, _ := pair[0].(string)
	at, err := parseEntryID(id)
	fields, ok := pair[1].([]any)
	if err != nil || !ok || len(fields) < 4 || fields[0] != "1" || fields[len(fields)-2] != "m" {
		return entry{}, bad
	}
	count, _ := fields[1].(string)
	if n, err := strconv.Atoi(count); err != nil || n < 0 || len(fields) != 4+2*n {
		return entry{}, bad
	}
	e := entry{p: p, at: at, topics: make([]string, 0, len(fields)/2-2)}
	for i := 2; i < len(fields)-2; i += 2 {
		topic, _ := fields[i].(string)
		e.topics = append(e.topics, topic)
	}
	e.blob, _ = fields[len(fields)-1].(string)
	return e, nil
}

// messages appends all messages of the entry to list.
func (e entry) messages(list []chat.Message) ([]chat.Message, error) {
	for b, at := e.blob, e.at; b != ""; at.Idx++ {
		if len(b) < 4 {
			return nil, &formError{what: "entry", where: e.p.keys.log}
		}
		topic, n := int(b[0]), int(b[1])|int(b[2])<<8|int(b[3])<<16
		if b = b[4:]; topic >= len(e.topics) || n > len(b) {
			return nil, &formError{what: "entry", where: e.p.keys.log}
		}
		m, err := e.p.message(at, e.topics[topic], b[:n])
		if err != nil {
			return nil, err
		}
		list, b = append(list, m), b[n:]
	}
	return list, nil
}

// message makes a message of a record.
func (p *partition) message(at chat.Pos, topic, record string) (chat.Message, error) {
	d, err := chat.ParseRecord(topic, record)
	if err != nil {
		return chat.Message{}, &formError{what: "record", where: p.keys.log}
	}
	return chat.Message{ID: chat.ID{Pos: at, Part: uint8(p.n)}, Draft: d}, nil
}
