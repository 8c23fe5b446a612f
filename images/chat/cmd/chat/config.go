package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/server"
)

// config is everything that can be set.
type config struct {
	listen, adminListen, name string
	readyTolerance            time.Duration
	origins                   server.Origins
	sourcePostRate            float64
	sourcePostBurst           int

	data, redisURL, redisPrefix string
	redisPartitions             int
	redisMinReplicas            int // as redisstore.Options has it
	appendTimeout               time.Duration
	retention                   chat.Retention

	sessions live.Config

	logLevel, logFormat string
	version             bool
}

// setting is one flag, its variable, and how its text is understood.
type setting struct {
	flag, env string
	value     string // default; what is said instead in the end
	shown     string // default as --help shows it, if value does not say it
	help      string
	set       func(text string) error
}

type group struct {
	title    string
	settings []*setting
}

// parse reads flags, then variables, then defaults. All that is wrong is said
// at once; each error names the setting and what is allowed.
func parse(args []string, env func(string) string, help io.Writer) (config, error) {
	var c config
	groups := c.settings()
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.version, "version", false, "")
	for _, g := range groups {
		for _, s := range g.settings {
			flags.StringVar(&s.value, s.flag, s.value, "")
		}
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			printHelp(help, groups)
			return c, err
		}
		return c, fmt.Errorf("%w (--help lists the settings)", err)
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q (--help lists the settings)", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var wrong []error
	for _, g := range groups {
		for _, s := range g.settings {
			named := "--" + s.flag
			if v := env(s.env); v != "" && !given[s.flag] {
				s.value, named = v, s.env
			}
			if err := s.set(s.value); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", named, err))
			}
		}
	}
	return c, errors.Join(wrong...)
}

func (c *config) settings() []group {
	redis := func() bool { return c.redisURL != "" } // set before those that ask
	return []group{
		{"Where it listens", []*setting{
			{"listen", "CHAT_LISTEN", ":8080", "", "address of the page, the API and the WebSocket", address(&c.listen)},
			{"admin-listen", "CHAT_ADMIN_LISTEN", "127.0.0.1:0", "", `address of /metrics and /debug/pprof, for operators only; "off" for none`, adminAddress(&c.adminListen)},
			{"name", "CHAT_NAME", hostName(), "host name", "how this server calls itself in welcome", text(&c.name, 1, 64)},
			{"max-connections", "CHAT_MAX_CONNECTIONS", "20000", "", "WebSocket connections; above it 503 and Retry-After; 0: no limit", number(&c.sessions.MaxConnections, 0, math.MaxInt32)},
			{"allow-origin", "CHAT_ALLOW_ORIGIN", "", "none", `origins of other pages that may use the chat, comma-separated (https://example.org, https://*.example.org), or "*"`, c.setOrigins},
			{"ready-tolerance", "CHAT_READY_TOLERANCE", "30s", "", "how long the log may be away before /readyz says 503", duration(&c.readyTolerance, 0, time.Hour)},
		}},
		{"The message log", []*setting{
			{"redis-url", "REDIS_URL", "", "none: the embedded log", "redis://, rediss://, redis+sentinel://host,host/master, redis+cluster://host,host", c.setRedisURL},
			{"data", "CHAT_DATA", dataFolder(), "chatapp in the user's data folder", "folder of the embedded log", text(&c.data, 1, 4096)},
			{"keep-messages", "CHAT_KEEP_MESSAGES", "100000", "", "messages the log keeps; 0: no limit", number64(&c.retention.Messages, 0, math.MaxInt64)},
			{"keep-bytes", "CHAT_KEEP_BYTES", "268435456", "256 MiB", "bytes of messages the log keeps; 0: no limit", number64(&c.retention.Bytes, 0, math.MaxInt64)},
			{"keep-age", "CHAT_KEEP_AGE", "720h", "30 days", "age of the oldest message the log keeps; 0: no limit", duration(&c.retention.Age, 0, math.MaxInt64)},
			{"append-timeout", "CHAT_APPEND_TIMEOUT", "5s", "", "after which a post is answered unavailable", duration(&c.appendTimeout, 100*time.Millisecond, time.Minute)},
			{"redis-partitions", "CHAT_REDIS_PARTITIONS", "0", "1; 16 on Cluster", "partitions of the log, fixed at its first use; 0: the default", number(&c.redisPartitions, 0, chat.MaxPartitions)},
			{"redis-min-replicas", "CHAT_REDIS_MIN_REPLICAS", "auto", "auto: 0; 1 with Sentinel or Cluster", "replicas that have a message before it is acknowledged", c.setMinReplicas},
			{"redis-prefix", "CHAT_REDIS_PREFIX", "chat", "", "first part of every key in Redis", text(&c.redisPrefix, 1, 64)},
		}},
		{"Sessions", []*setting{
			{"post-rate", "CHAT_POST_RATE", "20", "", "posts per second of one session; 0: no limit", float(&c.sessions.PostRate, 0, 1e9)},
			{"post-burst", "CHAT_POST_BURST", "40", "", "posts that may come at once", number(&c.sessions.PostBurst, 1, math.MaxInt32)},
			{"source-post-rate", "CHAT_SOURCE_POST_RATE", "", "1000; 0 where --post-rate is 0", "HTTP posts per second of one source, an IP address that many people may share; 0: no limit", c.setSourcePostRate},
			{"source-post-burst", "CHAT_SOURCE_POST_BURST", "2000", "", "of them at once", number(&c.sourcePostBurst, 1, math.MaxInt32)},
			{"session-queue", "CHAT_SESSION_QUEUE", "524288", "512 KiB", "bytes that may wait for a slow reader before it is closed with 4001", number(&c.sessions.QueueBytes, 1<<14, 1<<30)},
			{"balance-above", "CHAT_BALANCE_ABOVE", "0", "", "behind a load balancer: times the mean connections of all servers, above which clients are asked to connect again (1.15, say); 0: never", float(&c.sessions.BalanceAbove, 0, 1e6)},
			{"pace", "CHAT_PACE", "5ms", "", "least time between two deliveries under load; a lone message never waits", duration(&c.sessions.Pace, 0, time.Second)},
		}},
		{"Leaving (SIGTERM, SIGINT)", []*setting{
			{"drain-settle", "CHAT_DRAIN_SETTLE", "", "5s; 0s with the embedded log", "from readyz 503 to the first bye, for load balancers to notice", either(&c.sessions.DrainSettle, redis, 5*time.Second, 0)},
			{"drain-spread", "CHAT_DRAIN_SPREAD", "", "10s; 0s with the embedded log", "over which clients are sent away", either(&c.sessions.DrainSpread, redis, 10*time.Second, 0)},
			{"drain-leave", "CHAT_DRAIN_LEAVE", "", "5s; 1s with the embedded log", "from a client's bye to its close", either(&c.sessions.DrainLeave, redis, 5*time.Second, time.Second)},
		}},
		{"Logging (standard error; never message texts or addresses)", []*setting{
			{"log-level", "CHAT_LOG_LEVEL", "info", "", "debug, info, warn or error", oneOf(&c.logLevel, "debug", "info", "warn", "error")},
			{"log-format", "CHAT_LOG_FORMAT", "text", "", "text or json", oneOf(&c.logFormat, "text", "json")},
		}},
	}
}

func printHelp(w io.Writer, groups []group) {
	fmt.Fprint(w, "chat serves the chat: page, API and WebSocket, over an embedded log or Redis.\n\n"+
		"Usage: chat [--setting value ...]\nA flag wins over its variable.\n")
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s\n", g.title)
		for _, s := range g.settings {
			shown := s.shown
			if shown == "" {
				shown = s.value
			}
			fmt.Fprintf(w, "  --%-20s %-24s %s (default: %s)\n", s.flag, s.env, s.help, shown)
		}
	}
	fmt.Fprint(w, "\n  --version              prints the version\n  --help                 prints this\n")
}

func text(to *string, shortest, longest int) func(string) error {
	return func(v string) error {
		if *to = v; len(v) < shortest || len(v) > longest {
			return fmt.Errorf("%q is not %d to %d characters long", v, shortest, longest)
		}
		return nil
	}
}

func oneOf(to *string, allowed ...string) func(string) error {
	return func(v string) error {
		for _, a := range allowed {
			if v == a {
				*to = v
				return nil
			}
		}
		return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
	}
}

func number(to *int, low, high int) func(string) error {
	return func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a whole number from %d to %d", v, low, high)
		}
		*to = n
		return nil
	}
}

func number64(to *int64, low, high int64) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is not a whole number from %d to %d", v, low, high)
		}
		*to = n
		return nil
	}
}

func float(to *float64, low, high float64) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || !(n >= low && n <= high) {
			return fmt.Errorf("%q is not a number from %g to %g", v, low, high)
		}
		*to = n
		return nil
	}
}

func duration(to *time.Duration, low, high time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low || d > high {
			return fmt.Errorf("%q is not a duration from %s to %s, such as 500ms, 30s or 2h", v, low, high)
		}
		*to = d
		return nil
	}
}

// either is a duration whose default depends on another setting.
func either(to *time.Duration, first func() bool, one, other time.Duration) func(string) error {
	return func(v string) error {
		if v != "" {
			return duration(to, 0, time.Hour)(v)
		}
		if *to = other; first() {
			*to = one
		}
		return nil
	}
}

func address(to *string) func(string) error {
	return func(v string) error {
		_, port, err := net.SplitHostPort(v)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
			return fmt.Errorf("%q is not an address such as :8080 or 127.0.0.1:8080", v)
		}
		*to = v
		return nil
	}
}

func adminAddress(to *string) func(string) error {
	return func(v string) error {
		if v == "off" {
			*to = ""
			return nil
		}
		if err := address(to)(v); err != nil {
			return fmt.Errorf(`%w, nor "off"`, err)
		}
		return nil
	}
}

func (c *config) setOrigins(v string) (err error) {
	c.origins, err = server.ParseOrigins(v)
	return err
}

// setSourcePostRate is no limit where sessions have none, unless it is given.
func (c *config) setSourcePostRate(v string) error {
	if v != "" {
		return float(&c.sourcePostRate, 0, 1e9)(v)
	}
	if c.sourcePostRate = 1000; c.sessions.PostRate == 0 {
		c.sourcePostRate = 0
	}
	return nil
}

// setRedisURL looks at the scheme only: the store knows the rest, and an error
// must not show a password.
func (c *config) setRedisURL(v string) error {
	if v == "" {
		return nil
	}
	scheme, _, found := strings.Cut(v, "://")
	switch {
	case !found:
		return errors.New("not a URL such as redis://host:6379/0")
	case scheme == "redis", scheme == "rediss", strings.HasPrefix(scheme, "redis+"), strings.HasPrefix(scheme, "rediss+"):
		c.redisURL = v
		return nil
	}
	return fmt.Errorf("scheme %q is not redis, rediss, redis+sentinel or redis+cluster", scheme)
}

func (c *config) setMinReplicas(v string) error {
	switch {
	case v == "auto":
		c.redisMinReplicas = 0
		return nil
	case v == "0":
		c.redisMinReplicas = redisstore.NoReplicas
		return nil
	}
	return number(&c.redisMinReplicas, 1, 16)(v)
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "chat"
	}
	return name[:min(len(name), 64)]
}

// dataFolder is chatapp in the place where this system keeps users' data.
func dataFolder() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "chatapp")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "chatapp")
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "chatapp")
		}
	}
	return filepath.Join(home, ".local", "share", "chatapp")
}
