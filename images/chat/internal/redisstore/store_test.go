package redisstore_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/storetest"
)

func TestMain(m *testing.M) {
	// These tests wait for Redis, for clocks and for Sentinels far more than
	// they compute: more at a time than there are cores, unless told.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("12")
	}
	redisstore.LogClient(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// logs numbers key prefixes, so that one Redis serves many tests' logs.
var logs atomic.Int64

func open(t testing.TB, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// logOn is a log of a test on a Redis that other tests use too.
func logOn(url string, o storetest.Options, minReplicas int, empty func(prefix string)) *storetest.Log {
	l, _ := prefixedLogOn(url, o, minReplicas, empty)
	return l
}

func prefixedLogOn(url string, o storetest.Options, minReplicas int, empty func(prefix string)) (l *storetest.Log, prefix string) {
	opt := redisstore.Options{
		URL: url, Partitions: o.Partitions, Retention: o.Retention,
		MinReplicas: minReplicas, KeyPrefix: fmt.Sprint("log", logs.Add(1)),
	}
	return &storetest.Log{
		Shared: true,
		Open:   func(t testing.TB) storetest.Store { return open(t, opt) },
		Empty:  func(testing.TB) { empty(opt.KeyPrefix) },
	}, opt.KeyPrefix
}

// wipe removes a log's keys from one server.
func wipe(t testing.TB, s *redistest.Server, prefix string) {
	c := s.Client()
	defer c.Close()
	ctx := context.Background()
	keys, err := c.Keys(ctx, prefix+":*").Result()
	if err != nil {
		t.Fatalf("list keys: %v", err)
	}
	for _, key := range keys {
		if err := c.Del(ctx, key).Err(); err != nil && !redis.HasErrorPrefix(err, "MOVED") && !redis.HasErrorPrefix(err, "READONLY") {
			t.Fatalf("delete %s: %v", key, err)
		}
	}
}

func TestSingle(t *testing.T) {
	t.Parallel()
	shared := redistest.Start(t)
	storetest.Run(t, func(t *testing.T, o storetest.Options) *storetest.Log {
		server := shared
		if o.Alone {
			server = redistest.Start(t)
		}
		l, prefix := prefixedLogOn(server.URL(), o, 0, func(prefix string) { wipe(t, server, prefix) })
		canBeDamaged(l, server, prefix)
		if o.Alone {
			l.Crash = func(testing.TB) { server.Restart() }
			l.Away = func(testing.TB) func() { server.Kill(); return server.Restart }
		}
		return l
	})
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	ha := redistest.StartHA(t)
	storetest.Run(t, func(t *testing.T, o storetest.Options) *storetest.Log {
		return logOn(ha.URL(), o, 0, func(prefix string) { wipe(t, ha.Master, prefix) })
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, true)
	storetest.Run(t, func(t *testing.T, o storetest.Options) *storetest.Log {
		return logOn(c.URL(), o, 0, func(prefix string) {
			for _, s := range c.Masters {
				wipe(t, s, prefix)
			}
		})
	})
}
