package main

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
)

// read parses flags with variables given as NAME=value.
func read(flags string, variables ...string) (*config, error) {
	env := map[string]string{}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return parse(strings.Fields(flags), func(name string) string { return env[name] }, io.Discard)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags     string
		variables []string
		right     func(*config) bool
	}{
		"defaults": {"", nil, func(c *config) bool {
			return c.Listening.Listen == ":8080" && c.Listening.AdminListen == "127.0.0.1:0" && !c.Edge.PublicMetrics && c.Sessions.Name != "" &&
				c.Sessions.MaxConnections == 20000 && c.Sessions.PostRate == 20 && c.Sessions.PostBurst == 40 && c.Sessions.QueueBytes == 512<<10 && c.Sessions.Pace == 5*time.Millisecond &&
				c.Edge.PostRate == 1000 && c.Edge.PostBurst == 2000 && c.Edge.ReadyTolerance == 30*time.Second &&
				c.Log.RedisURL == "" && strings.HasSuffix(c.Log.Data, "chatapp") && c.Log.AppendTimeout == 5*time.Second && c.minReplicas == 0 && c.Log.RedisPrefix == "chat" &&
				c.Keep == chat.Retention{Messages: 100_000, Bytes: 256 << 20, Age: 720 * time.Hour} &&
				c.Logging.LogLevel == "info" && c.Logging.LogFormat == "text"
		}},
		"a flag":                              {"--post-rate 5", nil, func(c *config) bool { return c.Sessions.PostRate == 5 }},
		"a flag with =":                       {"--post-rate=5.5", nil, func(c *config) bool { return c.Sessions.PostRate == 5.5 }},
		"a variable":                          {"", []string{"CHAT_POST_RATE=6"}, func(c *config) bool { return c.Sessions.PostRate == 6 }},
		"a flag wins":                         {"--post-rate 5", []string{"CHAT_POST_RATE=6"}, func(c *config) bool { return c.Sessions.PostRate == 5 }},
		"a flag of zero wins":                 {"--max-connections 0", []string{"CHAT_MAX_CONNECTIONS=6"}, func(c *config) bool { return c.Sessions.MaxConnections == 0 }},
		"an empty variable":                   {"", []string{"CHAT_POST_RATE=", "REDIS_URL=", "CHAT_NAME="}, func(c *config) bool { return c.Sessions.PostRate == 20 && c.Sessions.Name != "" }},
		"no admin address":                    {"--admin-listen off", nil, func(c *config) bool { return c.Edge.PublicMetrics }},
		"sources are limited as sessions are": {"--post-rate 0", nil, func(c *config) bool { return c.Edge.PostRate == 0 }},
		"sources are limited if it is said":   {"--post-rate 0", []string{"CHAT_SOURCE_POST_RATE=7"}, func(c *config) bool { return c.Edge.PostRate == 7 }},
		"sources are not limited":             {"--source-post-rate 0", nil, func(c *config) bool { return c.Edge.PostRate == 0 && c.Sessions.PostRate == 20 }},
		"embedded drain": {"", nil, func(c *config) bool {
			return c.Sessions.DrainSettle == 0 && c.Sessions.DrainSpread == 0 && c.Sessions.DrainLeave == time.Second
		}},
		"Redis drain": {"", []string{"REDIS_URL=redis://h"}, func(c *config) bool {
			return c.Log.RedisURL == "redis://h" && c.Sessions.DrainSettle == 5*time.Second && c.Sessions.DrainSpread == 10*time.Second && c.Sessions.DrainLeave == 5*time.Second
		}},
		"Redis drain at once":    {"--drain-settle 0s --drain-leave 0s", []string{"REDIS_URL=redis+cluster://h", "CHAT_DRAIN_SPREAD=0s"}, func(c *config) bool { return c.Sessions.DrainSettle+c.Sessions.DrainSpread+c.Sessions.DrainLeave == 0 }},
		"no replicas":            {"--redis-min-replicas 0", nil, func(c *config) bool { return c.minReplicas == redisstore.NoReplicas }},
		"two replicas":           {"--redis-min-replicas 2", nil, func(c *config) bool { return c.minReplicas == 2 }},
		"most partitions":        {"--redis-partitions " + strconv.Itoa(chat.MaxPartitions), nil, func(c *config) bool { return c.Log.RedisPartitions == chat.MaxPartitions }},
		"data of the user's own": {"", []string{"XDG_DATA_HOME=/x"}, func(c *config) bool { return c.Log.Data == "/x/chatapp" }},
		"version":                {"--version", nil, func(c *config) bool { return c.Version }},
	} {
		if got, err := read(c.flags, c.variables...); err != nil || !c.right(got) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := read("--help"); !errors.Is(err, errHelp) {
		t.Errorf("--help: %v", err)
	}
}

// TestBadSettingsAreNamed: by flag or by variable, without a secret.
func TestBadSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for setting, named := range map[string]string{
		"--listen=8080": "--listen", "--listen=:99999": "--listen", "--admin-listen=on": "--admin-listen",
		"--post-rate=-1": "--post-rate", "--post-rate=NaN": "--post-rate", "--post-rate=Inf": "--post-rate", "--post-burst=0": "--post-burst", "--pace=2s": "--pace",
		"--max-connections=-1": "--max-connections", "--session-queue=1": "--session-queue", "--name=" + strings.Repeat("n", 65): "--name", "--data=": "--data",
		"--keep-age=1": "--keep-age", "--keep-bytes=1.5": "--keep-bytes", "--redis-partitions=" + strconv.Itoa(chat.MaxPartitions+1): "--redis-partitions",
		"--redis-url=secret": "--redis-url", "--redis-url=http://:secret@h": "--redis-url", "--redis-min-replicas=17": "--redis-min-replicas",
		"--log-level=loud": "--log-level", "--allow-origin=https://*": "--allow-origin", "--colour=red": "--colour", "word": "word",
		"CHAT_POST_RATE=fast": "CHAT_POST_RATE", "CHAT_POST_BURST=0": "CHAT_POST_BURST", "CHAT_LOG_LEVEL=loud": "log-level", "CHAT_ALLOW_ORIGIN=x": "CHAT_ALLOW_ORIGIN",
		"CHAT_LISTEN=x": "CHAT_LISTEN", "REDIS_URL=redis:secret": "REDIS_URL",
	} {
		var err error
		if strings.HasPrefix(setting, "-") || setting == "word" {
			_, err = read(setting)
		} else {
			_, err = read("", setting)
		}
		if err == nil || !strings.Contains(err.Error(), named) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want an error that names %s", setting, err, named)
		}
	}
	if _, err := read("--post-burst=0 --pace=1h --listen=x"); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three at once: %v", err)
	}
}
