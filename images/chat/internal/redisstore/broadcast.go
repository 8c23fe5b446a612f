package redisstore

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/chat"
)

// Ephemeral messages go by Redis' publish/subscribe: one channel for each
// partition, sharded on a Cluster. Redis keeps nothing of them, and writes
// nothing to disk. On the channel a message is its time in milliseconds, a
// space, its topic, a NUL, and its record.

//go:embed lua/send.lua
var sendLua string

var sendScript = redis.NewScript(sendLua)

var _ chat.Broadcast = (*Store)(nil)

const (
	// listenPing is how long a channel may be silent before the connection gets
	// a ping. After twice that time the connection is given up.
	listenPing = 5 * time.Second
	// listenPause comes between two attempts to listen.
	listenPause = 250 * time.Millisecond
)

// Send implements chat.Broadcast. It is tried once: what may have been sent is
// not sent again.
func (s *Store) Send(ctx context.Context, part int, drafts []chat.Draft) ([]time.Time, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	p := s.parts[part]
	args := make([]any, 1, 1+len(drafts))
	args[0] = "publish"
	if s.form == formCluster {
		args[0] = "spublish"
	}
	for _, d := range drafts {
		args = append(args, chat.NewEvent(d).AppendRecord(append([]byte(d.Topic), 0)))
	}
	var ms int64
	err := s.tryOnce(ctx, tryTimeout, s.cmd, p.keys.log, func(ctx context.Context, c *redis.Client) error {
		text, err := sendScript.Run(ctx, c, []string{p.keys.ephemeral}, args...).Text()
		if err != nil {
			return err
		}
		ms, err = strconv.ParseInt(text, 10, 64)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	times := make([]time.Time, len(drafts))
	for i := range times {
		times[i] = time.UnixMilli(ms).UTC()
	}
	return times, nil
}

// Listen implements chat.Broadcast: one goroutine for each partition.
func (s *Store) Listen(ctx context.Context, take func(part int, list []chat.Ephemeral)) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	var listeners sync.WaitGroup
	for _, p := range s.parts {
		listeners.Go(func() {
			for said := false; ctx.Err() == nil; {
				err := s.listen(ctx, p, take)
				if ctx.Err() != nil {
					return
				}
				if !said {
					s.log.Warn("ephemeral messages do not come in", "partition", p.n, "error", err)
				}
				said = true
				select {
				case <-ctx.Done():
				case <-time.After(listenPause):
				}
			}
		})
	}
	listeners.Wait()
}

// listen listens on one connection until that fails.
func (s *Store) listen(ctx context.Context, p *partition, take func(int, []chat.Ephemeral)) error {
	at, cancel := context.WithTimeout(ctx, tryTimeout)
	c, err := s.tail.node(at, p.keys.log)
	cancel()
	if err != nil {
		return err
	}
	var sub *redis.PubSub
	if s.form == formCluster {
		sub = c.SSubscribe(ctx, p.keys.ephemeral)
	} else {
		sub = c.Subscribe(ctx, p.keys.ephemeral)
	}
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() }) // ends a wait under way
	defer stop()
	for silent := false; ; {
		got, err := sub.ReceiveTimeout(ctx, listenPing)
		if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() && !silent {
			silent = true
			if err := sub.Ping(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		silent = false
		if m, ok := got.(*redis.Message); ok {
			if e, ok := parseEphemeral(m.Payload); ok {
				take(p.n, []chat.Ephemeral{e})
			}
		}
	}
}

// parseEphemeral reads a message of a channel; false: of a form that this
// version does not know.
func parseEphemeral(payload string) (chat.Ephemeral, bool) {
	msText, rest, ok1 := strings.Cut(payload, " ")
	topic, record, ok2 := strings.Cut(rest, "\x00")
	ms, err := strconv.ParseInt(msText, 10, 64)
	if !ok1 || !ok2 || err != nil {
		return chat.Ephemeral{}, false
	}
	e := chat.ParseRecord(chat.ID{}, topic, record)
	return chat.Ephemeral{Draft: e.Draft, At: time.UnixMilli(ms).UTC()}, e.Kind.Known()
}
