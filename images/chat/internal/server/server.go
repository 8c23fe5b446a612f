// Package server is the HTTP edge: it turns requests into calls of the chat's
// use cases and results into answers, serves the page, and says how the server
// is doing. The WebSocket itself belongs to package live.
package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	// Trouble says, a sentence each, what does not work at the moment, and why:
	// that writes are refused, for example. The server may be ready all the
	// same. readyz shows it. It is called from many goroutines. Nil: nothing is
	// said.
	Trouble       func() []string `kong:"-"`
	PublicMetrics bool            `kong:"-"` // /metrics is served here, because there is no admin address
}

// DefaultPostRate is the PostRate that is not set. It is far above what one
// person does, since many may share a source.
const DefaultPostRate = 1000

// GuestsNone is the Config.Guests under which guests get nothing.
const GuestsNone = "none"

// People is who may be signed in. The zero value is nobody.
type People struct {
	Service  *people.Service
	View     *people.View
	Features []string // what this server can do, for clients
}

// Server answers HTTP.
type Server struct {
	config   Config
	service  *chat.Service
	sessions *live.Sessions
	metrics  *live.Metrics
	logger   *slog.Logger
	requests *prometheus.CounterVec
	posts    *limit.Keyed  // by source
	signIns  *limit.Keyed  // by source
	pages    chan struct{} // pages that are made now
	people   *people.Service
}

// ReadLimit makes the counter of reads by source, for Reads here and in
// live.Config.
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

// pagesAtATime is how many pages of messages are made at a time. There are
// enough for all partitions, also when one of them does not answer.
const pagesAtATime = 16

// historyWait bounds one question for history or topics.
const historyWait = 5 * time.Second
