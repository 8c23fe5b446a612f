package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// dialTimeout: within a data centre a connection takes a millisecond; what
	// takes longer than this is away.
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
	// idleTime closes connections that a burst has left.
	idleTime = 5 * time.Minute
)

// nodes finds the Redis that holds a key.
type nodes interface {
	node(ctx context.Context, key string) (*redis.Client, error)
	// suspect says that an operation failed: the key may have moved.
	suspect(ctx context.Context)
	close() error
}

// connect makes a client without connecting yet. readTimeout 0 is the default.
//
// go-redis does not try again by itself: Store.try does, and knows why. RESP2
// keeps all answers plain arrays.
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
		return clusterNodes{redis.NewClusterClient(&redis.ClusterOptions{
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

// one makes a client of one Redis by its address, for a question or two.
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
func (n oneNode) close() error                                        { return n.c.Close() }

// clusterNodes asks the master of the key's slot directly, not through the
// cluster client: WAIT has no key and must go the same way as the append.
type clusterNodes struct{ c *redis.ClusterClient }

var errNoMaster = errors.New("the cluster has no master for this partition")

func (n clusterNodes) node(ctx context.Context, key string) (*redis.Client, error) {
	c, err := n.c.MasterForKey(ctx, key)
	if err == nil && c == nil {
		err = errNoMaster
	}
	return c, err
}

func (n clusterNodes) suspect(ctx context.Context) { n.c.ReloadState(ctx) }
func (n clusterNodes) close() error                { return n.c.Close() }
