// Package live holds this server's sockets: it accepts them, runs a session
// for each, and lets them go. It is the only owner of gorilla/websocket.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/clock"
	"chatapp/chat/internal/crowd"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/wire"
)

// Config of Sessions. The tags make it a group of settings of the command.
type Config struct {
	Name           string `kong:"-"` // of this server, in welcome
	MaxConnections int    `kong:"-"` // 0: no limit

	PostRate   float64       `name:"post-rate" default:"20" env:"CHAT_POST_RATE" min:"0" max:"1e9" help:"posts per second of one session; 0: no limit"`
	PostBurst  int           `name:"post-burst" default:"40" env:"CHAT_POST_BURST" min:"1" help:"posts that may come at once"`
	ReadRate   float64       `name:"read-rate" default:"100" env:"CHAT_READ_RATE" min:"0" max:"1e9" help:"questions (history, subscribe) per second of one session; 0: no limit"`
	ReadBurst  int           `name:"read-burst" default:"200" env:"CHAT_READ_BURST" min:"1" help:"of them at once"`
	QueueBytes int           `name:"session-queue" default:"524288" env:"CHAT_SESSION_QUEUE" min:"16384" max:"1073741824" help:"bytes that may wait for a slow reader before it is closed with 4001"`
	Pace       time.Duration `name:"pace" default:"5ms" env:"CHAT_PACE" min:"0s" max:"1s" help:"least time between two deliveries under load; a lone message never waits"`

	SourceReads *limit.Keyed `kong:"-"` // reads by source, shared with HTTP; nil: no limit

	People     *people.View `kong:"-"` // who is signed in; nil: nobody can be
	GuestsNone bool         `kong:"-"` // only those signed in may connect
	Features   []string     `kong:"-"` // what this server can do, in welcome

	BalanceAbove float64 `name:"balance-above" default:"0" env:"CHAT_BALANCE_ABOVE" min:"0" max:"1e6" help:"behind a load balancer: times the mean connections of all servers, above which clients are asked to connect again (1.15, say); 0: never"`

	DrainSettle time.Duration `name:"drain-settle" env:"CHAT_DRAIN_SETTLE" group:"Leaving (SIGTERM, SIGINT)" min:"0s" max:"1h" help:"from readyz 503 to the first bye, for load balancers to notice; if not given 5s, with the embedded log 0s"`
	DrainSpread time.Duration `name:"drain-spread" env:"CHAT_DRAIN_SPREAD" group:"Leaving (SIGTERM, SIGINT)" min:"0s" max:"1h" help:"over which clients are sent away; if not given 10s, with the embedded log 0s"`
	DrainLeave  time.Duration `name:"drain-leave" env:"CHAT_DRAIN_LEAVE" group:"Leaving (SIGTERM, SIGINT)" min:"0s" max:"1h" help:"from a client's bye to its close; if not given 5s, with the embedded log 1s"`
}

// Sessions accepts and serves WebSocket connections. Its methods are safe for
// use by many goroutines.
type Sessions struct {
	config   Config
	shared   shared
	balance  crowd.Balance
	upgrader websocket.Upgrader

	sessionsCtx context.Context // of all sessions
	endSessions context.CancelFunc
	loopsCtx    context.Context // of what serves them
	endLoops    context.CancelFunc
	loops       sync.WaitGroup
	served      sync.WaitGroup // one for each connection
	closing     sync.Once

	mu          sync.Mutex
	sessions    map[*session]struct{}
	connections int  // of them, and those being upgraded
	accepted    int  // ever
	shut        bool // no new connections
}

// New makes Sessions. Start comes next.
func New(c Config, service *chat.Service, presence chat.Presence, metrics *Metrics, logger *slog.Logger) *Sessions {
	logger = logger.With("component", "live")
	members, rooms := crowd.NewMembers(), newRoomBell()
	l := &Sessions{
		config: c,
		shared: shared{
			name:     c.Name,
			features: c.Features,
			guests:   !c.GuestsNone,
			people:   c.People,
			rooms:    rooms,
			posts:    limit.Rate{PerSecond: c.PostRate, Burst: c.PostBurst},
			reads:    limit.Rate{PerSecond: c.ReadRate, Burst: c.ReadBurst},
			service:  service,
			feed: feed.New(service, feed.Options{
				Pace: c.Pace, Logger: logger, Metrics: metrics.feed, Left: leftIn(c.People), Renew: rooms.renew,
			}),
			members:  members,
			presence: crowd.NewPresence(c.Name, presence, members, metrics.crowd),
			metrics:  metrics,
			logger:   logger,

			sourceReads: c.SourceReads,
		},
		sessions: map[*session]struct{}{},
	}
	l.balance = crowd.Balance{
		Members: members, Presence: l.shared.presence, Metrics: metrics.crowd, Above: c.BalanceAbove, Leave: c.DrainLeave,
	}
	l.sessionsCtx, l.endSessions = context.WithCancel(context.Background())
	l.loopsCtx, l.endLoops = context.WithCancel(context.Background())
	l.upgrader = newUpgrader()
	return l
}

// Start starts what serves the sessions, once: the feed, presence, balance and
// the pings. Connections that come earlier wait for their welcome.
func (l *Sessions) Start() {
	l.loops.Go(func() { l.shared.feed.Run(l.loopsCtx) })
	l.loops.Go(func() { l.shared.presence.Run(l.loopsCtx) })
	l.loops.Go(func() { l.balance.Run(l.loopsCtx) })
	l.loops.Go(func() { l.attend(l.loopsCtx) })
	l.loops.Go(func() { l.shared.rooms.run(l.loopsCtx) })
}

// Changed tells the hub that this server has changed a message's numbers. It is
// called before the change is answered.
func (l *Sessions) Changed(c chat.Change) {
	l.shared.feed.Hub().Learn(int(c.ID.Part), []chat.Change{c}, 0)
}

// Drain empties this server. Readiness is withdrawn at once; for DrainSettle
// everything goes on as before, while load balancers notice; then no more
// connections are taken and each client is sent bye, spread over DrainSpread. A
// client that is still there after DrainLeave is closed. Drain returns when all
// are gone, or when ctx ends.
func (l *Sessions) Drain(ctx context.Context) {
	l.shared.members.Withdraw()
	clock.Pause(ctx, l.config.DrainSettle)
	l.shutDoor()
	l.shared.members.Dismiss(ctx, l.config.DrainSpread, l.config.DrainLeave)
}

// Close closes every session that is still there, with 1001, and waits for the
// loops and sessions to end. Questions of sessions to the log are given up. If
// there is time, call Drain first. A second Close does nothing.
func (l *Sessions) Close() { l.closing.Do(l.close) }

func (l *Sessions) close() {
	l.shared.members.Withdraw()
	l.shutDoor()
	for _, s := range l.all() {
		s.out.Close(wire.CloseGoingAway)
	}
	l.endSessions()
	l.served.Wait()
	l.shared.presence.Leave(context.Background())
	l.endLoops()
	l.loops.Wait()
}

func (l *Sessions) shutDoor() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut = true
}

// Online is the number of people connected to this server.
func (l *Sessions) Online() int { return l.shared.members.People() }

// all gives the sessions that there are now.
func (l *Sessions) all() []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.sessions))
}

const (
	pingSeconds = int(pingPeriod / time.Second)
	// cursorPeriod is how often a session whose topics may be silent is given a
	// new cursor, so that retention does not remove what comes after the one it
	// has.
	cursorPeriod = time.Minute
)

// attend pings every session once in pingPeriod, a part of them each second,
// and gives all of them a new cursor once in cursorPeriod. So an idle session
// needs no timer and no goroutine for it.
func (l *Sessions) attend(ctx context.Context) {
	for second := 0; clock.Pause(ctx, time.Second); second++ {
		for _, s := range l.all() {
			if s.pingSecond == second%pingSeconds {
				s.out.Ping()
			}
		}
		if (second+1)%int(cursorPeriod/time.Second) == 0 {
			online := l.shared.presence.Online()
			l.shared.feed.Hub().Refresh(func(cursor string) *wire.Frame { return crowd.Frame(online, cursor) })
		}
	}
}

// Ready says why no new client should be sent here (nil: it should). A log that
// has been away for less than tolerance is no reason: else an outage of the log
// would take all pods out of service at once, and the page with them.
func (l *Sessions) Ready(tolerance time.Duration) error {
	if l.shared.members.Leaving() {
		return errors.New("draining: this server is going away")
	}
	last, filled := l.shared.feed.Answered()
	switch {
	case !filled:
		return errors.New("the message log has not been reached yet")
	case time.Since(last) > tolerance:
		return fmt.Errorf("the message log has not answered for %s", time.Since(last).Round(time.Second))
	}
	return nil
}
