package redisstore

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// Topics implements chat.Log.
func (s *Store) Topics(ctx context.Context, part int) ([]chat.TopicInfo, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	var all map[string]string
	err := s.try(ctx, s.cmd, &p.away, p.keys.log, func(ctx context.Context, c *redis.Client) (err error) {
		if all, err = c.HGetAll(ctx, p.keys.topics).Result(); err != nil {
			return err
		}
		rooms, err := c.HGetAll(ctx, p.keys.rooms()).Result()
		maps.Copy(all, rooms)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read topics: %w", err)
	}
	list := make([]chat.TopicInfo, 0, len(all))
	for topic, info := range all {
		if t, ok := parseTopic(topic, info, p.n); ok {
			list = append(list, t)
		}
	}
	return list, nil
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
