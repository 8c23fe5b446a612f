// Command chat serves the chat. It only wires: settings, log, service,
// sessions, HTTP, and how they end.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chatapp/chat/api"
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/measured"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisnode"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/server"
	"chatapp/chat/internal/trouble"
	"chatapp/chat/web"
)

// version is stamped by the build (-ldflags "-X main.version=…").
var version = "development"

// exitSetting is the exit status after a setting that cannot be used.
const exitSetting = 2

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "redis":
			os.Exit(redisNode(os.Args[2:]))
		case "account":
			os.Exit(accountCommand(os.Args[2:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
		case "log":
			os.Exit(logCommand(os.Args[2:], os.Getenv, os.Stdout, os.Stderr))
		}
	}
	c, err := parse(os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		os.Exit(exitSetting)
	case c.Version:
		fmt.Println("chat", versionText())
		return
	}
	// The first signal drains; after it, a second one has its usual effect.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, c, os.Stdout, newLogger(c, os.Stderr)); err != nil {
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		os.Exit(exitStatus(err))
	}
}

// exitStatus is how the process ends after an error of run.
func exitStatus(err error) int {
	if errors.Is(err, errSetting) {
		return exitSetting
	}
	return 1
}

func versionText() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return version + " (" + info.GoVersion + ")"
	}
	return version
}

func newLogger(c *config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Logging.LogLevel)) // parse has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.Logging.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// errSetting marks what a setting is to blame for.
var errSetting = errors.New("check the settings")

// shutdownWait is what requests under way have after the sessions are gone.
const shutdownWait = 5 * time.Second

// run serves until ctx ends, then drains. It writes one line to out when it
// listens.
func run(ctx context.Context, c *config, out io.Writer, logger *slog.Logger) (err error) {
	// Listen first: what comes after may take its time, but a taken port is
	// said at once.
	listener, err := net.Listen("tcp", c.Listening.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w (%w)", err, errSetting)
	}
	defer listener.Close() // a second close is harmless
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	store, where, err := openStore(c, logger, measured.NewFailures(registry))
	if err != nil {
		return err
	}
	c.Edge.Trouble = store.trouble
	defer func() { err = errors.Join(err, store.Close()) }()
	view := people.NewView(store.directory, logger)
	view.Start()
	defer view.Close()
	var sessions *live.Sessions // made below; nothing changes before
	service := chat.NewService(measured.NewLog(store, registry), chat.Options{
		AppendTimeout: c.Log.AppendTimeout, SteppedOver: measured.NewUnknown(registry, logger).SteppedOver,
		Numbers: store, Broadcast: store, Changed: func(change chat.Change) { sessions.Changed(change) },
		Holder: view.Holder, Owner: people.Owner, GuestsRead: c.Edge.Guests != "post",
	})
	service.Start()
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
		defer cancel()
		err = errors.Join(err, service.Close(bounded))
	}()
	metrics := live.NewMetrics(registry)
	features := []string{"people", "rooms", "conversation"}
	c.Sessions.People, c.Sessions.Features = view, features
	c.Sessions.GuestsNone = c.Edge.Guests == server.GuestsNone
	c.Edge.People = server.People{
		View: view, Features: features,
		Service: people.NewService(store.directory, view, people.NewHasher(people.DefaultCost, c.People.HashMemory), people.Options{
			RegistrationClosed: c.Edge.Registration == "closed", CheckFilter: checkFilter, Removed: service.Left,
		}),
	}
	reads := c.Edge.ReadLimit()
	c.Sessions.SourceReads, c.Edge.Reads = reads, reads
	sessions = live.New(c.Sessions, service, store, metrics, logger)
	sessions.Start()
	defer sessions.Close()
	edge, err := server.New(c.Edge, service, sessions, metrics, registry, web.Dist(), api.Documents, logger)
	if err != nil {
		return err
	}

	var serving sync.WaitGroup
	defer serving.Wait()
	failed := make(chan error, 2)
	serve := func(s *http.Server, l net.Listener) {
		serving.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve: %w", err)
			}
		})
	}
	adminAt := "off"
	if c.Listening.AdminListen != "off" {
		l, err := net.Listen("tcp", c.Listening.AdminListen)
		if err != nil {
			return fmt.Errorf("--admin-listen: %w (%w)", err, errSetting)
		}
		admin := server.Admin(c.Edge, registry, sessions)
		serve(admin, l)
		defer admin.Close() // operators' requests are cut off, nothing is lost
		adminAt = l.Addr().String()
	}
	if c.Log.RedisURL == "" {
		l, err := listenOperator(c.Log.Data)
		if err != nil {
			return fmt.Errorf("listen for chat account in %s: %w", c.Log.Data, err)
		}
		operator := newOperator(c.Edge.People.Service)
		serve(operator, l)
		defer operator.Close() // a call that is cut off can be made again
	}
	serve(edge, server.Limit(listener, server.ConnectionsWithin(descriptors(), c.Log.RedisURL != ""), logger))
	defer edge.Close() // for the ways out that do not drain
	fmt.Fprintf(out, "chat %s listens on %s (log: %s)\n", version, humanURL(listener.Addr()), where)
	logger.Info("metrics and profiles", "admin", adminAt)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	logger.Info("draining", "online", sessions.Online())
	sessions.Drain(context.WithoutCancel(ctx))
	sessions.Close()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
	defer cancel()
	if err := edge.Shutdown(bounded); err != nil {
		logger.Warn("requests were cut off", "error", err)
		_ = edge.Close() // they had their time
	}
	logger.Info("drained")
	return nil
}

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

// checkFilter says why a filter can't be saved.
func checkFilter(text string) error {
	if _, err := live.Compile(text, chat.Guest); err != nil {
		return err
	}
	return nil
}

// humanURL is the URL to open in a browser.
func humanURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
