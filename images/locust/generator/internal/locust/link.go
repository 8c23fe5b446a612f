package locust

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
)

const (
	// redialEvery is the pause between two tries to reach the master.
	redialEvery = time.Second
	// silence is how long a master, which answers a heartbeat every second, may
	// say nothing until the connection is made anew. Longer than a busy master
	// takes: what it sends to the old connection is lost.
	silence = 15 * time.Second
	// dialTimeout bounds a try to connect.
	dialTimeout = 5 * time.Second
	// outbox is how many messages wait for the connection; more are dropped.
	outbox = 1024
)

// link is the connection with the master, made anew whenever it breaks. What is
// sent while there is none waits.
type link struct {
	address string
	id      string
	log     *slog.Logger
	out     chan []byte
	in      chan message
	// up says whether the connection stands.
	up atomic.Bool
}

func newLink(address, id string, logger *slog.Logger) *link {
	return &link{
		address: address, id: id, log: logger,
		out: make(chan []byte, outbox), in: make(chan message, 64),
	}
}

// send queues a message; false when the queue is full.
func (l *link) send(kind string, data any) bool {
	raw, err := encode(kind, data, l.id)
	if err != nil {
		l.log.Error("a message cannot be sent", "error", err)
		return false
	}
	select {
	case l.out <- raw:
		return true
	default:
		return false
	}
}

// run keeps the connection until ctx ends.
func (l *link) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := l.once(ctx); err != nil && ctx.Err() == nil {
			l.log.Info("no connection with the master", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(redialEvery):
		}
	}
}

// once makes one connection and serves it to its end.
func (l *link) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	socket := zmq4.NewDealer(ctx, zmq4.WithID(zmq4.SocketIdentity(l.id)),
		zmq4.WithDialerMaxRetries(0), zmq4.WithDialerTimeout(dialTimeout), zmq4.WithTimeout(dialTimeout),
		// It writes whatever it meets to standard error, else.
		zmq4.WithLogger(log.New(io.Discard, "", 0)))
	defer socket.Close()
	if err := socket.Dial("tcp://" + l.address); err != nil {
		return err
	}
	l.up.Store(true)
	defer l.up.Store(false)
	heard := time.AfterFunc(silence, cancel)
	defer heard.Stop()
	sent := make(chan struct{})
	go func() { // ends with ctx, which ends with once
		defer close(sent)
		for {
			select {
			case <-ctx.Done():
				return
			case raw := <-l.out:
				if err := socket.Send(zmq4.NewMsg(raw)); err != nil {
					cancel()
					return
				}
			}
		}
	}()
	defer func() { cancel(); <-sent }()
	for {
		frames, err := socket.Recv()
		if err != nil {
			return err
		}
		heard.Reset(silence)
		m, err := decode(frames.Bytes())
		if err != nil {
			l.log.Error("unreadable", "error", err)
			continue
		}
		select {
		case l.in <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// masterAddress joins host and port, which may be an IPv6 address.
func masterAddress(host string, port string) string { return net.JoinHostPort(host, port) }
