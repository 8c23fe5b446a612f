package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"chatapp/chat/api"
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/measured"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/server"
	"chatapp/chat/web"
)

// shutdownWait is what requests under way have after the sessions are gone.
const shutdownWait = 5 * time.Second

// run serves until ctx ends, then drains. It writes one line to out when it
// listens.
func run(ctx context.Context, c *config, out io.Writer, logger *slog.Logger) (err error) {
	// Listen first: if the port is taken, the operator hears of it at once,
	// however long the rest takes.
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
	defer edge.Close() // for returns that do not drain
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
		_ = edge.Close() // they had shutdownWait
	}
	logger.Info("drained")
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

// checkFilter says why a filter can't be saved.
func checkFilter(text string) error {
	if _, err := live.Compile(text, chat.Guest); err != nil {
		return err
	}
	return nil
}
