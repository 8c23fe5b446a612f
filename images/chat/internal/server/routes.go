package server

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/live"
)

// New gives the server of everything in the wire contract. page holds the
// built page's files; docs the API documents by file name.
func New(c Config, service *chat.Service, sessions *live.Sessions, metrics *live.Metrics, registry *prometheus.Registry,
	page, docs fs.FS, logger *slog.Logger,
) (*http.Server, error) {
	s := &Server{
		config: c, service: service, sessions: sessions, metrics: metrics,
		logger:  logger.With("component", "server"),
		posts:   limit.NewKeyed(limit.Rate{PerSecond: c.PostRate, Burst: c.PostBurst}),
		signIns: limit.NewKeyed(limit.Rate{PerSecond: c.SignInRate / 60, Burst: int(min(c.SignInRate, 1e6))}),
		pages:   make(chan struct{}, pagesAtATime),
		people:  c.People.Service,
		requests: promauto.With(registry).NewCounterVec(prometheus.CounterOpts{
			Name: "chat_http_requests_total", Help: "HTTP requests by route, method and status.",
		}, []string{"route", "method", "code"}),
	}
	files, err := newFiles(page)
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	documents, err := newFiles(docs)
	if err != nil {
		return nil, fmt.Errorf("read the API documents: %w", err)
	}
	mux := http.NewServeMux()
	route := func(pattern, name string, h http.HandlerFunc) {
		mux.Handle(pattern, promhttp.InstrumentHandlerCounter(s.requests.MustCurryWith(prometheus.Labels{"route": name}), s.recovered(h)))
	}
	mux.Handle("GET "+socketPath, s.recovered(s.websocket)) // not counted: the connection outlives the request
	route("GET /api/v1/messages", "messages", s.anybody(s.getMessages))
	route("POST /api/v1/messages", "messages", s.anybody(s.postMessage))
	route("DELETE "+messagePath, "message", s.signedIn(s.deleteMessage))
	route("PUT "+votePath, "vote", s.anybody(s.putVote))
	route("GET /api/v1/topics", "topics", s.anybody(s.getTopics))
	for name, document := range documents.byPath {
		route("GET /api/v1"+name, "document", s.anybody(func(w http.ResponseWriter, r *http.Request, _ caller) error {
			document.serve(w, r)
			return nil
		}))
	}
	if s.people != nil {
		s.routePeople(route)
	}
	route("GET /healthz", "health", healthz)
	route("GET /readyz", "health", readyz(sessions, c))
	if c.PublicMetrics {
		figures := http.Handler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		if all := figures; c.Guests == GuestsNone {
			figures = s.signedIn(func(w http.ResponseWriter, r *http.Request, _ caller) error {
				all.ServeHTTP(w, r)
				return nil
			})
		}
		mux.Handle("GET /metrics", figures)
	}
	route("GET /{$}", "page", files.serve) // also when there is no page
	for path := range files.byPath {
		if path != "/" {
			route("GET "+path, "page", files.serve)
		}
	}
	route("/", "none", noRoute(mux))

	return &http.Server{
		Handler:           headers(c.Origins.crossOrigin(mux)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quiet{s.logger.Handler()}, slog.LevelError),
	}, nil
}

// Admin gives the server of what only operators and the cluster see: metrics,
// profiles, and health on a port that no flood of clients can fill.
func Admin(c Config, registry *prometheus.Registry, sessions *live.Sessions) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(sessions, c))
	return &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
}

func (s *Server) websocket(w http.ResponseWriter, r *http.Request) {
	if status, err := s.sessions.Accept(w, r); err != nil {
		writeProblem(w, status, err)
	}
}

// noRoute answers what no other route takes: 405 where another method has a
// route, else 404.
func noRoute(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allow []string
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			other := *r
			other.Method = method
			if _, pattern := mux.Handler(&other); pattern != "/" {
				allow = append(allow, method)
			}
		}
		if len(allow) == 0 {
			if strings.HasPrefix(r.URL.Path, "/assets/") {
				// Another version has the file: during a rollout a page and its
				// files may come from two pods. The browser asks again, and the
				// new connection may lead to the other pod.
				w.Header().Set("Connection", "close")
			}
			writeProblem(w, http.StatusNotFound, &chat.Error{Code: chat.CodeNotFound, Message: "there is nothing at this path"})
			return
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		writeProblem(w, http.StatusMethodNotAllowed, &chat.Error{Code: chat.CodeNotFound, Message: "there is no " + r.Method + " here"})
	}
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
