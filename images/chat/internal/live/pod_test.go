package live

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pod is a server's sessions behind a listener.
type pod struct {
	*Sessions
	t        testing.TB
	service  *chat.Service
	listener net.Listener
	dial     func() (net.Conn, error)
	server   *http.Server
	metrics  *prometheus.Registry
}

// start starts a pod over pipes, which suit synctest bubbles: their time is
// the bubble's. The caller closes it before the bubble ends.
func start(t testing.TB, store *memStore, c Config) *pod {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	return startOn(t, store, c, l, l.dial)
}

// startTCP starts a pod on a port of loopback.
func startTCP(t testing.TB, store *memStore, c Config) *pod {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, store, c, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

func startOn(t testing.TB, store *memStore, c Config, l net.Listener, dial func() (net.Conn, error)) *pod {
	if c.Name == "" {
		c.Name = "chat-0"
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 512 << 10
	}
	service := chat.NewService(store, chat.Options{AppendTimeout: 5 * time.Second})
	registry := prometheus.NewRegistry()
	p := &pod{
		Sessions: New(c, service, store, NewMetrics(registry), slog.New(slog.DiscardHandler)),
		t:        t, service: service, listener: l, dial: dial, metrics: registry,
	}
	service.Start()
	p.Start()
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, err := p.Accept(w, r); err != nil {
			http.Error(w, err.Message, status)
		}
	})}
	go func() {
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return p
}

// snapshot is what the pod's hub has.
func (p *pod) snapshot() feed.Snapshot { return p.shared.feed.Hub().Snapshot() }

// counted is the value of a counter without labels.
func (p *pod) counted(name string) float64 {
	p.t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	p.t.Fatal("no metric", name)
	return 0
}

func (p *pod) close() {
	p.Close()
	if err := p.service.Close(context.Background()); err != nil {
		p.t.Error(err)
	}
	if err := p.server.Close(); err != nil {
		p.t.Error(err)
	}
}

// pipeListener is a listener whose connections are pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// event is something that a client got.
type event struct {
	at    time.Duration // since the client connected
	kind  string        // the frame's type, or "ping", or "close"
	code  int           // of close; 1006: the connection just ended
	frame heard
}

// heard is any frame of the server.
type heard struct {
	Type, Server, Cursor, Key, ID, Ref, Code, Message, Reason string
	Recovered, More                                           bool
	Messages                                                  []struct{ ID, Key, Topic, Content string }
	Online                                                    int
	RetryAfterMs                                              int `json:"retry_after_ms"`
	ReconnectInMs                                             int `json:"reconnect_in_ms"`
}

// client is a connection whose frames a goroutine gathers, if it reads at all.
type client struct {
	*websocket.Conn
	t     testing.TB
	began time.Time
	done  chan struct{} // closed when the connection has ended; nil: not reading

	mu     sync.Mutex
	events []event
}

// connect opens a connection that is not read.
func (p *pod) connect() *client {
	p.t.Helper()
	c, err := p.tryConnect()
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *pod) tryConnect() (*client, error) {
	d := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial() }}
	conn, resp, err := d.Dial("ws://chat/ws", nil)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil {
		return nil, err
	}
	return &client{Conn: conn, t: p.t, began: time.Now()}, nil
}

// join opens a connection, reads it, and says hello.
func (p *pod) join(hello string) *client {
	p.t.Helper()
	c := p.connect()
	c.listen(true)
	c.say(hello)
	return c
}

// listen begins to read; pings are answered if the client is to stay alive.
func (c *client) listen(pong bool) {
	c.done = make(chan struct{})
	c.SetPingHandler(func(payload string) error {
		c.add(event{kind: "ping"})
		if !pong {
			return nil
		}
		return c.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(time.Minute))
	})
	go func() {
		defer close(c.done)
		for c.hear() {
		}
	}()
}

// hear reads one frame and notes it; false: there are no more.
func (c *client) hear() bool {
	_, data, err := c.ReadMessage()
	if err != nil {
		code := websocket.CloseAbnormalClosure
		if e, ok := errors.AsType[*websocket.CloseError](err); ok {
			code = e.Code
		}
		c.add(event{kind: "close", code: code})
		c.Close()
		return false
	}
	var f heard
	if err := json.Unmarshal(data, &f, json.MatchCaseInsensitiveNames(true)); err != nil {
		c.t.Errorf("read %s: %v", data, err)
	}
	c.add(event{kind: f.Type, frame: f})
	return true
}

func (c *client) add(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.at = time.Since(c.began)
	c.events = append(c.events, e)
}

func (c *client) say(frame string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.t.Errorf("send %s: %v", frame, err)
	}
}

// leave ends the connection without a word and waits for the reader.
func (c *client) leave() {
	c.Close()
	if c.done != nil {
		<-c.done
	}
}

// got gives the events of some kinds so far, or all.
func (c *client) got(kinds ...string) []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	var some []event
	for _, e := range c.events {
		if len(kinds) == 0 || strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+e.kind+" ") {
			some = append(some, e)
		}
	}
	return some
}

// contents joins the contents of all messages that were delivered, welcome's too.
func (c *client) contents() string {
	var all []string
	for _, e := range c.got("welcome", "messages") {
		for _, m := range e.frame.Messages {
			all = append(all, m.Content)
		}
	}
	return strings.Join(all, " ")
}

// cursor is the last that was given.
func (c *client) cursor() string {
	cursor := ""
	for _, e := range c.got() {
		if e.frame.Cursor != "" {
			cursor = e.frame.Cursor
		}
	}
	return cursor
}

// expectClose checks that the connection ended with a code, and when.
func (c *client) expectClose(code int, at time.Duration) {
	c.t.Helper()
	got := c.got("close")
	if len(got) != 1 || got[0].code != code || got[0].at != at {
		c.t.Errorf("close %+v; want %d at %v", got, code, at)
	}
}

var _ io.Closer = (*client)(nil)
