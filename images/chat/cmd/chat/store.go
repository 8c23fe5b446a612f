package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisnode"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/trouble"
)

// store is what keeps the log, and beside it presence and the directory.
type store struct {
	log
	directory people.Directory
	trouble   func() []string // what it does not do at the moment; nil: not told
}

type log interface {
	chat.Log
	chat.Presence
	chat.Numbers
	chat.Broadcast
}

// openStore opens the store that the settings name, and says which it is.
func openStore(c *config, logger *slog.Logger, failed func(trouble.Access, string)) (store, string, error) {
	if c.Log.RedisURL == "" {
		local, err := localstore.Open(localstore.Options{Dir: c.Log.Data, Retention: c.Keep, Failed: failed, Logger: logger.With("component", "localstore")})
		if _, damaged := errors.AsType[*localstore.DamageError](err); damaged {
			return store{}, "", err // no setting mends it
		}
		if err != nil {
			return store{}, "", fmt.Errorf("--data: %w (%w)", err, errSetting)
		}
		return store{local, local.Directory(), local.Trouble}, "embedded in " + c.Log.Data, nil
	}
	if strings.Contains(c.Log.RedisURL, redisnode.PublicPassword) {
		logger.Warn("Redis has the passwords that everybody can read in chatapp.yaml: make others, as is said there")
	}
	redisstore.LogClient(logger)
	shared, err := redisstore.Open(redisstore.Options{
		URL: c.Log.RedisURL, Partitions: c.Log.RedisPartitions, MinReplicas: c.minReplicas, KeyPrefix: c.Log.RedisPrefix,
		Retention: c.Keep, Memory: c.Log.RedisMemory, Failed: failed, Logger: logger,
	})
	if err != nil {
		return store{}, "", fmt.Errorf("--redis-url: %w (%w)", err, errSetting)
	}
	return store{shared, shared.Directory(), shared.Trouble}, "Redis", nil
}
