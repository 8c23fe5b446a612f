package redisstore

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogClient sends what the Redis client itself has to say (which master the
// Sentinels name, what it cannot connect to) to log at debug level, instead
// of to standard error. The client has one logger for the whole process, so
// this is for main to call, once, before Open.
func LogClient(log *slog.Logger) { redis.SetLogger(clientLog{log.With("component", "go-redis")}) }

type clientLog struct{ log *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, fmt.Sprintf(format, v...))
	}
}
