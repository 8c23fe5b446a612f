// Package server is the HTTP edge: it turns requests into calls of the chat's
// use cases and results into answers, serves the page, and says how the server
// is doing. The WebSocket itself belongs to package live.
package server

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/people"
)

// Config of the HTTP edge. The tags make it a group of settings of the command.
type Config struct {
	Origins        Origins       `name:"allow-origin" env:"CHAT_ALLOW_ORIGIN" help:"origins of other pages that may use the chat from a browser, comma-separated (https://example.org, https://*.example.org), or '*' for any"`
	PostRate       float64       `name:"source-post-rate" env:"CHAT_SOURCE_POST_RATE" min:"0" max:"1e9" help:"HTTP posts per second from one source, an IP address that many people may share; 0: no limit; if not given 1000, or no limit where --post-rate is 0"`
	PostBurst      int           `name:"source-post-burst" default:"2000" env:"CHAT_SOURCE_POST_BURST" min:"1" help:"of them at once"`
	ReadRate       float64       `name:"source-read-rate" default:"2000" env:"CHAT_SOURCE_READ_RATE" min:"0" max:"1e9" help:"reads (history, lists of topics, subscribe) per second from one source, over HTTP and sockets; 0: no limit"`
	ReadBurst      int           `name:"source-read-burst" default:"4000" env:"CHAT_SOURCE_READ_BURST" min:"1" help:"of them at once"`
	Reads          *limit.Keyed  `kong:"-"` // reads by source, of ReadRate, shared with the sockets; nil: no limit
	ReadyTolerance time.Duration `name:"ready-tolerance" default:"30s" env:"CHAT_READY_TOLERANCE" min:"0s" max:"1h" help:"how long the log may be away before /readyz says 503"`
	SignInRate     float64       `name:"sign-in-rate" default:"600" env:"CHAT_SIGN_IN_RATE" min:"0" max:"1e9" help:"registrations and sign-ins a minute from one source, an IP address that many people may share; 0: no limit"`
	Registration   string        `name:"registration" default:"open" enum:"open,closed" env:"CHAT_REGISTRATION" help:"open, or closed: no new accounts but by 'chat account'"`
	Guests         string        `name:"guests" default:"post" enum:"post,read,none" env:"CHAT_GUESTS" help:"what guests may do: post, read, or none: only those signed in get anything but the page"`
	People         People        `kong:"-"`
	// Trouble says, a sentence each, what does not work at this moment though
	// the server may be ready, and why: which writes are refused, say. readyz
	// shows it. It is called from many goroutines; nil: there is never any.
	Trouble       func() []string `kong:"-"`
	PublicMetrics bool            `kong:"-"` // /metrics is served here, because there is no admin address
}

// DefaultPostRate is the PostRate for people: far above what one does, since
// many may share a source.
const DefaultPostRate = 1000

// GuestsNone is the Config.Guests under which guests get nothing.
const GuestsNone = "none"

// People is who may be signed in. The zero value is nobody.
type People struct {
	Service  *people.Service
	View     *people.View
	Features []string // what this server can, for clients
}

// Server answers HTTP.
type Server struct {
	config   Config
	service  *chat.Service
	live     *live.Sessions
	metrics  *live.Metrics
	logger   *slog.Logger
	requests *prometheus.CounterVec
	posts    *limit.Keyed  // by source
	signIns  *limit.Keyed  // by source
	pages    chan struct{} // pages that are made now
	people   *people.Service
}

// ReadLimit makes what counts reads by source: Reads here and in live.Config.
func (c Config) ReadLimit() *limit.Keyed {
	return limit.NewKeyed(limit.Rate{PerSecond: c.ReadRate, Burst: c.ReadBurst})
}

// limitReads counts a read of a source.
func (s *Server) limitReads(r *http.Request) error {
	if wait := s.config.Reads.Take(limit.Source(r.RemoteAddr)); wait > 0 {
		return limit.TooMany(wait)
	}
	return nil
}

// pagesAtATime is how many pages of messages are made at a time: enough for
// every partition's reads, while one that does not answer holds up its own.
const pagesAtATime = 16

// historyWait bounds one question for history or topics.
const historyWait = 5 * time.Second

// socketPath is where WebSockets are opened.
const socketPath = "/ws"

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
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
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
	if status, err := s.live.Accept(w, r); err != nil {
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
				// Another version has it: during a rollout a page and its
				// files may come from two pods. The browser asks again, and
				// must not ask this pod over this connection.
				w.Header().Set("Connection", "close")
			}
			writeProblem(w, http.StatusNotFound, &chat.Error{Code: chat.CodeNotFound, Message: "there is nothing at this path"})
			return
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		writeProblem(w, http.StatusMethodNotAllowed, &chat.Error{Code: chat.CodeNotFound, Message: "there is no " + r.Method + " here"})
	}
}

// recovered answers 500 when a handler panics, and logs where.
func (s *Server) recovered(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause) // net/http cuts the connection off and says nothing
			}
			s.logger.Error("a request made the server panic", "route", r.Pattern, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if tracked.started {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			for _, name := range []string{"Content-Length", "Content-Encoding", "Etag"} {
				w.Header().Del(name)
			}
			writeProblem(w, http.StatusInternalServerError, chat.AsError(errPanic))
		}()
		next(tracked, r)
	}
}

var errPanic = errors.New("a request made the server panic")

// trackedWriter knows whether an answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	started bool
}

func (t *trackedWriter) WriteHeader(status int) {
	t.started = t.started || status >= 200
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(b []byte) (int, error) {
	t.started = true
	return t.ResponseWriter.Write(b)
}

// Hijack gives the connection away, to package live.
func (t *trackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	t.started = true
	return http.NewResponseController(t.ResponseWriter).Hijack()
}

func healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") }

// readyz says whether new clients should be sent here, and what trouble there is.
func readyz(sessions *live.Sessions, c Config) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var trouble []string
		if c.Trouble != nil {
			trouble = c.Trouble()
		}
		if err := sessions.Ready(c.ReadyTolerance); err != nil {
			detail := strings.Join(append([]string{err.Error()}, trouble...), "; ")
			writeProblem(w, http.StatusServiceUnavailable, &chat.Error{Code: chat.CodeUnavailable, Message: detail})
			return
		}
		writeText(w, strings.Join(append([]string{"ready"}, trouble...), "\n")+"\n")
	}
}
