package server_test

import (
	"io/fs"
	"log/slog"
	"net"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/api"
	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/server"
)

// patience ends a test that hangs; it is no measure of the server.
const patience = 20 * time.Second

// pod is one server as cmd/chat wires it, on a port of loopback.
type pod struct {
	addr     string // host:port
	url      string
	sessions *live.Sessions
	store    chat.Store
}

// podOptions is what tests vary; the zero value gives what podDefaults says.
type podOptions struct {
	name    string
	store   chat.Store // nil: a fresh localstore
	live    live.Config
	edge    server.Config
	page    fs.FS
	timeout time.Duration // of an append
}

func podDefaults(o podOptions) podOptions {
	if o.name == "" {
		o.name = "chat-0"
	}
	o.live.Name = o.name
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

// startPod starts a server that ends with the test.
func startPod(t testing.TB, o podOptions) *pod {
	t.Helper()
	o = podDefaults(o)
	logger := slog.New(slog.DiscardHandler)
	store := o.store
	if store == nil {
		local, err := localstore.Open(localstore.Options{Dir: t.TempDir(), Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { local.Close() })
		store = local
	}
	registry := prometheus.NewRegistry()
	metrics := live.NewMetrics(registry)
	service := chat.NewService(store, o.timeout)
	t.Cleanup(service.Close)
	sessions := live.New(o.live, service, store, metrics, logger)
	t.Cleanup(sessions.Close)
	edge, err := server.New(o.edge, service, sessions, metrics, registry, o.page, api.Documents, logger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts := &httptest.Server{Listener: listener, Config: edge}
	ts.Start()
	t.Cleanup(ts.Close)
	return &pod{addr: listener.Addr().String(), url: ts.URL, sessions: sessions, store: store}
}
