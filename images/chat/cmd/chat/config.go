package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/server"
)

// config is everything that can be set, in the groups of --help. The tags are
// kong's, but for min and max: the bounds of a number, a duration, or the
// length of a text.
type config struct {
	Listening struct {
		Listen         string `default:":8080" env:"CHAT_LISTEN" help:"address of the page, the API and the WebSocket"`
		AdminListen    string `default:"127.0.0.1:0" env:"CHAT_ADMIN_LISTEN" help:"address of /metrics and /debug/pprof, for operators only; 'off' for none: then /metrics is at --listen"`
		Name           string `default:"${hostname}" env:"CHAT_NAME" min:"1" max:"64" help:"how this server calls itself in welcome"`
		MaxConnections int    `default:"20000" env:"CHAT_MAX_CONNECTIONS" min:"0" help:"WebSocket connections; above it 503 and Retry-After; 0: no limit"`
	} `embed:"" group:"Where it listens"`

	Edge server.Config `embed:"" group:"HTTP"`

	Log struct {
		RedisURL         string        `env:"REDIS_URL" help:"redis://, rediss://, redis+sentinel://host,host/master, redis+cluster://host,host; none: the embedded log"`
		Data             string        `default:"${data}" env:"CHAT_DATA" min:"1" max:"4096" help:"folder of the embedded log"`
		AppendTimeout    time.Duration `default:"5s" env:"CHAT_APPEND_TIMEOUT" min:"100ms" max:"1m" help:"after which a post is answered unavailable"`
		RedisPartitions  int           `default:"0" env:"CHAT_REDIS_PARTITIONS" min:"0" max:"256" help:"partitions of the log, fixed at its first use; 0: 1, or 16 on Cluster"`
		RedisMinReplicas string        `default:"auto" env:"CHAT_REDIS_MIN_REPLICAS" help:"replicas that have a message before it is acknowledged; auto: 0, or 1 with Sentinel or Cluster"`
		RedisMemory      int64         `default:"0" env:"CHAT_REDIS_MEMORY" min:"0" help:"bytes of memory in Redis that log, remembered keys and indexes may take together; retention keeps to it; 0: three quarters of Redis's maxmemory"`
		RedisPrefix      string        `default:"chat" env:"CHAT_REDIS_PREFIX" min:"1" max:"64" help:"first part of every key in Redis"`
	} `embed:"" group:"The message log"`
	Keep chat.Retention `embed:"" group:"The message log"`

	Sessions live.Config `embed:"" group:"Sessions"`

	People struct {
		HashMemory int64 `default:"100663296" env:"CHAT_HASH_MEMORY" min:"0" max:"1099511627776" help:"bytes that hashing passwords may take at once; who comes when it is taken waits, then is told to try again"`
	} `embed:"" group:"HTTP"`

	Logging struct {
		LogLevel  string `default:"info" enum:"debug,info,warn,error" env:"CHAT_LOG_LEVEL" help:"debug, info, warn or error"`
		LogFormat string `default:"text" enum:"text,json" env:"CHAT_LOG_FORMAT" help:"text or json"`
	} `embed:"" group:"Logging (standard error; never message texts or addresses)"`

	Version bool `help:"prints the version"`

	minReplicas int // RedisMinReplicas, as redisstore.Options has it
}

// errHelp says that the help was asked for, and has been printed.
var errHelp = errors.New("help was printed")

const description = `Serves the chat: page, API and WebSocket, over an embedded log or Redis. A flag wins over its variable; an empty variable is as if absent.`

// parse reads flags, then variables, then defaults. Its errors name the
// setting and what is allowed, and never show a URL.
func parse(args []string, env func(string) string, out io.Writer) (*config, error) {
	c := &config{}
	helped := false
	var read *kong.Flag // the one whose variable was read last
	parser, err := kong.New(c,
		kong.Name("chat"), kong.Description(description), kong.Writers(out, io.Discard),
		kong.Exit(func(int) { helped = true }),
		kong.Vars{"hostname": hostName(), "data": dataFolder(env)},
		kong.ConfigureHelp(kong.HelpOptions{FlagsLast: true, WrapUpperBound: 110}),
		kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
			for _, name := range f.Envs {
				if text := env(name); text != "" {
					read = f
					return text, nil
				}
			}
			return nil, nil
		})),
		kong.ValueFormatter(func(v *kong.Value) string {
			if v.Flag == nil || len(v.Flag.Envs) == 0 {
				return v.Help
			}
			return v.Help + " ($" + v.Flag.Envs[0] + ")"
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("read the table of settings: %w", err)
	}
	for _, f := range parser.Model.Flags {
		f.Tag.Envs = nil // the resolver reads them: kong would take empty ones, and the process's own alone
	}
	_, err = parser.Parse(args)
	switch {
	case helped:
		return nil, errHelp
	case err != nil && read != nil && strings.Contains(err.Error(), "--"+read.Name):
		return nil, fmt.Errorf("%s: %w (--help lists the settings)", read.Envs[0], err)
	case err != nil:
		return nil, fmt.Errorf("%w (--help lists the settings)", err)
	}
	var wrong []error
	given := map[string]bool{}
	for _, f := range parser.Model.Flags {
		given[f.Name] = f.Set
		if err := inBounds(f); err != nil {
			wrong = append(wrong, named(f, err))
		}
	}
	for _, f := range parser.Model.Flags {
		if check := c.checks()[f.Name]; check != nil {
			if err := check(); err != nil {
				wrong = append(wrong, named(f, err))
			}
		}
	}
	c.derive(given)
	return c, errors.Join(wrong...)
}

// named says of an error which setting it is about.
func named(f *kong.Flag, err error) error {
	if len(f.Envs) > 0 {
		return fmt.Errorf("--%s (%s): %w", f.Name, f.Envs[0], err)
	}
	return fmt.Errorf("--%s: %w", f.Name, err)
}

// checks is what the type and the bounds of a setting do not say of it.
func (c *config) checks() map[string]func() error {
	return map[string]func() error{
		"listen": func() error { return checkAddress(c.Listening.Listen) },
		"admin-listen": func() error {
			if c.Listening.AdminListen == "off" {
				return nil
			}
			if err := checkAddress(c.Listening.AdminListen); err != nil {
				return fmt.Errorf(`%w, nor "off"`, err)
			}
			return nil
		},
		"redis-url":          func() error { return checkRedisURL(c.Log.RedisURL) },
		"redis-min-replicas": c.readMinReplicas,
	}
}

// derive sets what follows from other settings, where it is not given.
func (c *config) derive(given map[string]bool) {
	c.Sessions.Name = c.Listening.Name
	c.Sessions.MaxConnections = c.Listening.MaxConnections
	c.Edge.PublicMetrics = c.Listening.AdminListen == "off"
	if !given["source-post-rate"] && c.Sessions.PostRate > 0 {
		c.Edge.PostRate = server.DefaultPostRate
	}
	if embedded := c.Log.RedisURL == ""; embedded { // nobody can take over, so nobody need wait
		setUnless(given["drain-leave"], &c.Sessions.DrainLeave, time.Second)
	} else {
		setUnless(given["drain-settle"], &c.Sessions.DrainSettle, 5*time.Second)
		setUnless(given["drain-spread"], &c.Sessions.DrainSpread, 10*time.Second)
		setUnless(given["drain-leave"], &c.Sessions.DrainLeave, 5*time.Second)
	}
}

func setUnless(given bool, to *time.Duration, d time.Duration) {
	if !given {
		*to = d
	}
}

// inBounds checks a setting against its tags min and max.
func inBounds(f *kong.Flag) error {
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	if low == "" && high == "" {
		return nil
	}
	compare := func(text string, cmp func(bound float64) bool) bool {
		if text == "" {
			return true
		}
		bound, err := strconv.ParseFloat(text, 64)
		if d, bad := time.ParseDuration(text); bad == nil {
			bound, err = float64(d), nil
		}
		return err == nil && cmp(bound)
	}
	var value float64
	what := "a number"
	switch v := f.Target.Interface().(type) {
	case time.Duration:
		value, what = float64(v), "a duration"
	case string:
		if n := len(v); compare(low, func(b float64) bool { return float64(n) >= b }) && compare(high, func(b float64) bool { return float64(n) <= b }) {
			return nil
		}
		return fmt.Errorf("%q is not %s to %s bytes long", v, low, high)
	default:
		switch r := reflect.ValueOf(v); {
		case r.CanInt():
			value = float64(r.Int())
		case r.CanFloat():
			value = r.Float()
		}
	}
	if compare(low, func(b float64) bool { return value >= b }) && compare(high, func(b float64) bool { return value <= b }) {
		return nil
	}
	if high == "" {
		return fmt.Errorf("%v is not %s from %s", f.Target.Interface(), what, low)
	}
	return fmt.Errorf("%v is not %s from %s to %s", f.Target.Interface(), what, low, high)
}

func checkAddress(v string) error {
	_, port, err := net.SplitHostPort(v)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not an address such as :8080 or 127.0.0.1:8080", v)
	}
	return nil
}

// checkRedisURL looks at the scheme only: the store knows the rest. The URL is
// not shown, since it may hold a password.
func checkRedisURL(v string) error {
	if v == "" {
		return nil
	}
	scheme, _, found := strings.Cut(v, "://")
	if !found {
		return errors.New("not a URL such as redis://host:6379/0")
	}
	base, _, _ := strings.Cut(scheme, "+")
	if !slices.Contains([]string{"redis", "rediss"}, base) {
		return errors.New("the scheme is not redis, rediss, redis+sentinel or redis+cluster")
	}
	return nil
}

// readMinReplicas reads RedisMinReplicas.
func (c *config) readMinReplicas() error {
	if c.Log.RedisMinReplicas == "auto" {
		return nil
	}
	n, err := strconv.Atoi(c.Log.RedisMinReplicas)
	if err != nil || n < 0 || n > 16 {
		return fmt.Errorf("%q is neither auto nor a number from 0 to 16", c.Log.RedisMinReplicas)
	}
	if c.minReplicas = n; n == 0 {
		c.minReplicas = redisstore.NoReplicas
	}
	return nil
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "chat"
	}
	return name[:min(len(name), 64)]
}

// dataFolder is chatapp in the place where this system keeps users' data.
func dataFolder(env func(string) string) string {
	if dir := env("XDG_DATA_HOME"); dir != "" {
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
		if dir := env("LocalAppData"); dir != "" {
			return filepath.Join(dir, "chatapp")
		}
	}
	return filepath.Join(home, ".local", "share", "chatapp")
}
