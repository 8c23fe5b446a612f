package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// topicsStep is about how many topics Redis looks at in one go: a fraction of
// a millisecond, after which others get a turn.
const topicsStep = 500

// Topics implements chat.Log.
func (s *Store) Topics(ctx context.Context, part int) ([]chat.TopicInfo, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	all := map[string]chat.TopicInfo{} // what moves within the hash meanwhile may come twice
	for _, hash := range []string{p.keys.topics, p.keys.rooms()} {
		for cursor, begun := uint64(0), false; !begun || cursor != 0; begun = true {
			var some []string
			var next uint64
			err := s.try(ctx, s.past, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
				some, next, err = c.HScan(ctx, hash, cursor, "", topicsStep).Result()
				return err
			})
			cursor = next
			if err != nil {
				return nil, fmt.Errorf("read topics: %w", err)
			}
			for i := 0; i+1 < len(some); i += 2 {
				if chat.IsRoom(some[i]) != (hash == p.keys.rooms()) {
					continue // a server from before rooms has put it there
				}
				if t, ok := parseTopic(some[i], some[i+1], p.n); ok && t.Last.Compare(all[t.Topic].Last) > 0 {
					all[t.Topic] = t
				}
			}
		}
	}
	return slices.Collect(maps.Values(all)), nil
}

// Last implements chat.Log.
func (s *Store) Last(ctx context.Context, part int, topics []string) ([]chat.Pos, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	last := make([]chat.Pos, len(topics))
	at := map[string][]int{} // by hash, the indexes of its topics
	for i, topic := range topics {
		hash := p.keys.topics
		if chat.IsRoom(topic) {
			hash = p.keys.rooms()
		}
		at[hash] = append(at[hash], i)
	}
	for hash, indexes := range at {
		names := make([]string, len(indexes))
		for j, i := range indexes {
			names[j] = topics[i]
		}
		var infos []any
		err := s.try(ctx, s.past, &p.reads, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
			infos, err = c.HMGet(ctx, hash, names...).Result()
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look topics up: %w", err)
		}
		if len(infos) != len(names) {
			return nil, errAnswer("the answer of HMGET")
		}
		for j, info := range infos {
			text, _ := info.(string)
			if t, ok := parseTopic(names[j], text, p.n); ok {
				last[indexes[j]] = t.Last.Pos
			}
		}
	}
	return last, nil
}

// parseTopic reads what the topics hash has for a topic: "messages last-entry
// last-index", and perhaps more of a later version. One that cannot be read is
// not listed until the next event of its topic puts it right.
func parseTopic(topic, info string, part int) (t chat.TopicInfo, ok bool) {
	words := strings.Fields(info)
	if len(words) < 3 {
		return t, false
	}
	n, err1 := strconv.ParseInt(words[0], 10, 64)
	at, err2 := parsePos(words[1] + "-" + words[2])
	return chat.TopicInfo{Topic: topic, Messages: n, Last: chat.ID{Pos: at, Part: uint8(part)}}, err1 == nil && err2 == nil
}
