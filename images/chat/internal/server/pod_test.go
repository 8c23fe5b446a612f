package server_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/api"
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/server"
)

// patience ends a test that hangs; it is no measure of the server.
const patience = 20 * time.Second

// pod is one server as cmd/chat wires it, on a port of loopback.
type pod struct {
	addr     string // host:port
	url      string
	sessions *live.Sessions
	service  *chat.Service
	store    store
}

// store is what a pod needs of a store.
type store interface {
	chat.Log
	chat.Presence
	chat.Numbers
	chat.Broadcast
}

// podOptions is what tests vary; the zero value gives what podDefaults says.
type podOptions struct {
	name    string
	store   store // nil: a fresh localstore
	live    live.Config
	edge    server.Config
	page    fs.FS
	admin   bool          // there is an admin address, which has the metrics
	timeout time.Duration // of an append
	log     io.Writer     // nil: nowhere
}

func podDefaults(o podOptions) podOptions {
	if o.name == "" {
		o.name = "chat-0"
	}
	o.live.Name = o.name
	if o.edge.Guests == "" {
		o.edge.Guests, o.edge.Registration = "post", "open"
	}
	if o.live.QueueBytes == 0 {
		o.live.QueueBytes = 512 << 10
	}
	if o.live.PostBurst == 0 {
		o.live.PostBurst = 40
	}
	if o.page == nil {
		o.page = fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>Chat</title>")}}
	}
	if o.timeout == 0 {
		o.timeout = 5 * time.Second
	}
	return o
}

// parts is a server without its port.
type parts struct {
	edge     *http.Server
	handler  http.Handler
	sessions *live.Sessions
	service  *chat.Service
	close    func()
}

// testCost is what tests can pay for a hash.
var testCost = people.Cost{Memory: 64, Passes: 1, Lanes: 1}

// directoryOf is the directory beside a test's log; a log that has none gets
// one of its own, which ends with it.
func directoryOf(s store) people.Directory {
	switch s := s.(type) {
	case interface{ directory() people.Directory }:
		return s.directory()
	case interface{ Directory() *localstore.Directory }:
		return s.Directory()
	case interface{ Directory() *redisstore.Directory }:
		return s.Directory()
	case *awayStore:
		return directoryOf(s.store)
	}
	panic(fmt.Sprintf("no directory beside a %T", s))
}

// assemble wires a server as cmd/chat does. The caller closes it, then the store.
func assemble(t testing.TB, store store, o podOptions) parts {
	t.Helper()
	o = podDefaults(o)
	o.edge.PublicMetrics = !o.admin
	logger := slog.New(slog.DiscardHandler)
	if o.log != nil {
		logger = slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	registry := prometheus.NewRegistry()
	metrics := live.NewMetrics(registry)
	view := people.NewView(directoryOf(store), logger)
	view.Start()
	var sessions *live.Sessions
	service := chat.NewService(store, chat.Options{
		AppendTimeout: o.timeout, Numbers: store, Broadcast: store,
		Changed: func(c chat.Change) { sessions.Changed(c) },
		Holder:  view.Holder, Owner: people.Owner,
		GuestsRead: o.edge.Guests == "read" || o.edge.Guests == server.GuestsNone,
	})
	service.Start()
	features := []string{"people", "rooms", "conversation"}
	o.live.People, o.live.Features, o.live.GuestsNone = view, features, o.edge.Guests == server.GuestsNone
	o.edge.People = server.People{View: view, Features: features, Service: people.NewService(directoryOf(store), view, people.NewHasher(testCost, 1<<20), people.Options{
		RegistrationClosed: o.edge.Registration == "closed", Removed: service.Left,
	})}
	sessions = live.New(o.live, service, store, metrics, logger)
	sessions.Start()
	edge, err := server.New(o.edge, service, sessions, metrics, registry, o.page, api.Documents, logger)
	if err != nil {
		t.Fatal(err)
	}
	return parts{edge, edge.Handler, sessions, service, func() {
		sessions.Close()
		if err := service.Close(context.Background()); err != nil {
			t.Error(err)
		}
		view.Close()
	}}
}

// startPod starts a server that ends with the test.
func startPod(t testing.TB, o podOptions) *pod {
	t.Helper()
	store := o.store
	if store == nil {
		store = openLocal(t)
	}
	if o.edge.ReadyTolerance == 0 {
		o.edge.ReadyTolerance = 30 * time.Second
	}
	w := assemble(t, store, o)
	t.Cleanup(w.close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts := &httptest.Server{Listener: listener, Config: w.edge}
	ts.Start()
	t.Cleanup(ts.Close)
	return &pod{addr: listener.Addr().String(), url: ts.URL, sessions: w.sessions, service: w.service, store: store}
}
