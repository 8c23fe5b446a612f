// Package server is the HTTP edge: it turns requests into calls of the chat's
// use cases and results into answers, serves the page, and says how the server
// is doing. The WebSocket itself belongs to package live.
package server

import (
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/live"
)

// Config of the HTTP edge.
type Config struct {
	PostRate       float64 // HTTP posts per second of one email address; 0: no limit
	PostBurst      int
	Origins        []string      // pages that may post from a browser, beside our own; "*": any
	ReadyTolerance time.Duration // how long the log may be away before readyz says so
}

// Server answers HTTP.
type Server struct {
	config   Config
	service  *chat.Service
	live     *live.Sessions
	metrics  *live.Metrics
	logger   *slog.Logger
	requests *prometheus.CounterVec
	posts    *limit.Keyed
}

// Limits of the listening side. A WebSocket leaves them behind when it is
// upgraded.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 75 * time.Second // longer than the 60 s of common proxies, so that they close first
	maxHeaderBytes    = 16 << 10
)

// New gives the server of everything in the wire contract. page holds the
// built page's files; docs the API documents by file name.
func New(c Config, service *chat.Service, sessions *live.Sessions, metrics *live.Metrics, registry *prometheus.Registry,
	page, docs fs.FS, logger *slog.Logger,
) (*http.Server, error) {
	s := &Server{
		config: c, service: service, live: sessions, metrics: metrics,
		logger: logger.With("component", "server"),
		posts:  limit.NewKeyed(limit.Rate{PerSecond: c.PostRate, Burst: c.PostBurst}),
		requests: promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
			Name: "chat_http_requests_total", Help: "HTTP requests by route, method and status.",
		}, []string{"route", "method", "code"}),
	}
	files, err := newFiles(page)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	route := func(pattern, name string, h http.HandlerFunc) {
		mux.Handle(pattern, promhttp.InstrumentHandlerCounter(s.requests.MustCurryWith(prometheus.Labels{"route": name}), h))
	}
	mux.HandleFunc("GET /ws", s.websocket) // not counted: the connection outlives the request
	route("GET /api/v1/messages", "messages", s.getMessages)
	route("POST /api/v1/messages", "messages", s.postMessage)
	route("GET /api/v1/topics", "topics", s.getTopics)
	route("GET /api/v1/openapi.yaml", "document", document(docs, "openapi.yaml"))
	route("GET /api/v1/asyncapi.yaml", "document", document(docs, "asyncapi.yaml"))
	route("GET /healthz", "health", healthz)
	route("GET /readyz", "health", readyz(sessions, c.ReadyTolerance))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	route("GET /", "page", files.serve)
	route("/", "page", func(w http.ResponseWriter, r *http.Request) {
		allow := "GET, HEAD"
		if r.URL.Path == "/api/v1/messages" {
			allow += ", POST"
		}
		w.Header().Set("Allow", allow)
		writeProblem(w, http.StatusMethodNotAllowed, &chat.Error{Code: chat.CodeNotFound, Message: "there is no " + r.Method + " here"})
	})

	return &http.Server{
		Handler:           headers(s.sameOrigin(mux)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quiet{s.logger.Handler()}, slog.LevelDebug),
	}, nil
}

// Admin gives the server of what only operators and the cluster see: metrics,
// profiles, and health on a port that no flood of clients can fill.
func Admin(registry *prometheus.Registry, sessions *live.Sessions, tolerance time.Duration) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(sessions, tolerance))
	return &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
}

func (s *Server) websocket(w http.ResponseWriter, r *http.Request) {
	if status, err := s.live.Accept(w, r); err != nil {
		writeProblem(w, status, err)
	}
}

func healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

func readyz(sessions *live.Sessions, tolerance time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := sessions.Ready(tolerance); err != nil {
			writeProblem(w, http.StatusServiceUnavailable, &chat.Error{Code: chat.CodeUnavailable, Message: err.Error()})
			return
		}
		writeText(w, "ready\n")
	}
}
