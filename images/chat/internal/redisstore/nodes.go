package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// dialTimeout bounds the making of a connection, which takes a millisecond
	// within a data centre.
	dialTimeout = time.Second
	// answerTimeout is for commands without a deadline of their own.
	answerTimeout = 3 * time.Second
	// commandPool bounds the connections, to each node, for appends, state,
	// presence and the directory; pastPool those for history, catching up and
	// lists of topics.
	commandPool = 32
	pastPool    = 16
	// tailPool is what is added to two tails a partition.
	tailPool = 16
	// tailSlice is how long one XREAD blocks. go-redis cannot give up a read
	// when its context is cancelled, and a wait must end within a second of
	// that, so a wait is cut in slices. An idle tail thus costs Redis two
	// commands a second.
	tailSlice = 500 * time.Millisecond
	// tailGrace is how much later than the slice's end the answer may come
	// before the connection is given up; with the slice, below a second.
	tailGrace = 400 * time.Millisecond
	// idleTime closes connections that a burst has left.
	idleTime = 5 * time.Minute
)

// nodes finds the Redis that holds a key.
type nodes interface {
	node(ctx context.Context, key string) (*redis.Client, error)
	// suspect says that an operation failed: the key may have moved.
	suspect(ctx context.Context)
	// follow gives the Redis that another one's error sends to, nil if it
	// sends nowhere.
	follow(from *redis.Client, err error) *redis.Client
	close() error
}

// connect makes a client without connecting yet. readTimeout 0 is the default.
//
// go-redis does not try again by itself: Store.try does. RESP2 keeps all
// answers plain arrays.
func (t target) connect(pool int, readTimeout time.Duration) nodes {
	if readTimeout == 0 {
		readTimeout = answerTimeout
	}
	var tlsConfig *tls.Config
	if t.tls {
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch t.form {
	case formCluster:
		return &clusterNodes{target: t, pool: pool, readTimeout: readTimeout, sent: map[string]*redis.Client{}, c: redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: t.addrs, Username: t.user, Password: t.password, TLSConfig: tlsConfig,
			Protocol: 2, MaxRetries: -1, MaxRedirects: 1, ContextTimeoutEnabled: true,
			DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: readTimeout, WriteTimeout: answerTimeout,
			PoolSize: pool, PipelinePoolSize: -1, ConnMaxIdleTime: idleTime,
			DisableIdentity: true, MaintNotificationsConfig: quiet,
		})}
	case formSentinel:
		return oneNode{redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: t.master, SentinelAddrs: t.addrs, SentinelUsername: t.sentinelUser, SentinelPassword: t.sentinelPass,
			Username: t.user, Password: t.password, DB: t.db, TLSConfig: tlsConfig,
			Protocol: 2, MaxRetries: -1, ContextTimeoutEnabled: true,
			DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: readTimeout, WriteTimeout: answerTimeout,
			PoolSize: pool, PipelinePoolSize: -1, ConnMaxIdleTime: idleTime,
			DisableIdentity: true,
		})}
	default:
		return oneNode{redis.NewClient(&redis.Options{
			Addr: t.addrs[0], Username: t.user, Password: t.password, DB: t.db, TLSConfig: tlsConfig,
			Protocol: 2, MaxRetries: -1, ContextTimeoutEnabled: true,
			DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: readTimeout, WriteTimeout: answerTimeout,
			PoolSize: pool, PipelinePoolSize: -1, ConnMaxIdleTime: idleTime,
			DisableIdentity: true, MaintNotificationsConfig: quiet,
		})}
	}
}

// one makes a client of the Redis at an address, for few questions.
func (t target) one(addr string) *redis.Client {
	o := &redis.Options{
		Addr: addr, Username: t.user, Password: t.password, Protocol: 2, MaxRetries: -1, ContextTimeoutEnabled: true,
		DialTimeout: dialTimeout, DialerRetries: 1, PoolSize: 1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if t.tls {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return redis.NewClient(o)
}

// oneNode is one Redis, or whichever Sentinel says is the master.
type oneNode struct{ c *redis.Client }

func (n oneNode) node(context.Context, string) (*redis.Client, error) { return n.c, nil }
func (n oneNode) suspect(context.Context)                             {}
func (n oneNode) follow(*redis.Client, error) *redis.Client           { return nil }
func (n oneNode) close() error                                        { return n.c.Close() }

// clusterNodes asks the master of the key's slot directly, not through the
// cluster client: WAIT has no key and must go the same way as the append. So
// it follows MOVED and ASK itself.
type clusterNodes struct {
	c           *redis.ClusterClient
	target      target
	pool        int
	readTimeout time.Duration

	mu   sync.Mutex
	sent map[string]*redis.Client // by the first word of the error and the address
}

var errNoMaster = errors.New("the cluster has no master for this partition")

func (n *clusterNodes) node(ctx context.Context, key string) (*redis.Client, error) {
	c, err := n.c.MasterForKey(ctx, key)
	if err == nil && c == nil {
		err = errNoMaster
	}
	return c, err
}

func (n *clusterNodes) suspect(ctx context.Context) { n.c.ReloadState(ctx) }

func (n *clusterNodes) follow(from *redis.Client, err error) *redis.Client {
	said, ok := errors.AsType[redis.Error](err)
	if !ok {
		return nil
	}
	words := strings.Fields(said.Error()) // MOVED slot host:port
	if len(words) != 3 || words[0] != "MOVED" && words[0] != "ASK" {
		return nil
	}
	addr := words[2]
	if host, port, err := net.SplitHostPort(addr); err != nil {
		return nil
	} else if host == "" { // the one that says so
		host, _, _ = net.SplitHostPort(from.Options().Addr)
		addr = net.JoinHostPort(host, port)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	name := words[0] + " " + addr
	if n.sent == nil {
		return nil // closed
	}
	if n.sent[name] == nil {
		single := n.target
		single.form, single.addrs = formSingle, []string{addr}
		c := single.connect(n.pool, n.readTimeout).(oneNode).c
		if words[0] == "ASK" {
			c.AddHook(asking{c})
		}
		n.sent[name] = c
	}
	return n.sent[name]
}

func (n *clusterNodes) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	errs := []error{n.c.Close()}
	for _, c := range n.sent {
		errs = append(errs, c.Close())
	}
	n.sent = nil
	return errors.Join(errs...)
}

// asking puts ASKING before each command: the Redis that a slot is moving to
// takes it only so.
type asking struct{ c *redis.Client }

// asked marks the context of what has ASKING before it already: a connection
// that is made for it greets through the same hooks.
type asked struct{}

func (asking) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a asking) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if ctx.Value(asked{}) != nil {
			return next(ctx, cmd)
		}
		pipe := a.c.Pipeline()
		_ = pipe.Process(ctx, cmd)
		_, err := pipe.Exec(ctx)
		return err
	}
}

func (asking) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ctx.Value(asked{}) != nil {
			return next(ctx, cmds)
		}
		both := make([]redis.Cmder, 0, 2*len(cmds))
		for _, cmd := range cmds {
			both = append(both, redis.NewStatusCmd(ctx, "asking"), cmd)
		}
		return next(context.WithValue(ctx, asked{}, true), both)
	}
}
