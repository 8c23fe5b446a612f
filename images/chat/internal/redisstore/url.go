package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// form is how Redis is set up.
type form int

const (
	formSingle form = iota
	formSentinel
	formCluster
)

// target is what a URL says.
type target struct {
	form           form
	addrs          []string // of Redis, or of the sentinels
	master         string   // Sentinel's name for the master
	db             int
	user, password string
	sentinelUser   string
	sentinelPass   string
	tls            bool
}

// errURL says what is wrong with a URL without repeating it: it may hold a
// password.
func errURL(format string, args ...any) error {
	return fmt.Errorf("redis url: %s; write redis://[user:password@]host:port/db, "+
		"redis+sentinel://[user:password@]host:port,host:port/MASTER/db or redis+cluster://[user:password@]host:port,host:port "+
		"(rediss for TLS)", fmt.Sprintf(format, args...))
}

func parseURL(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return target{}, errURL("it has no scheme")
	}
	t := target{tls: strings.HasPrefix(scheme, "rediss")}
	port := "6379"
	switch strings.Replace(scheme, "rediss", "redis", 1) {
	case "redis":
	case "redis+sentinel":
		t.form, port = formSentinel, "26379"
	case "redis+cluster":
		t.form = formCluster
	default:
		return target{}, errURL("the scheme is not one of redis, redis+sentinel, redis+cluster, rediss, rediss+sentinel, rediss+cluster")
	}
	// net/url does not know lists of hosts: it sees to all but them.
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	u, err := url.Parse("redis://" + strings.TrimSuffix(authority, hosts) + "host" + path)
	if err != nil {
		return target{}, errURL("the user, password, path or query is malformed (percent-encode special characters)")
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()

	for host := range strings.SplitSeq(hosts, ",") {
		addr, err := address(host, port)
		if err != nil {
			return target{}, err
		}
		t.addrs = append(t.addrs, addr)
	}
	if t.form == formSingle && len(t.addrs) > 1 {
		return target{}, errURL("several hosts need redis+sentinel or redis+cluster")
	}
	if u.Fragment != "" {
		return target{}, errURL("a # is not allowed")
	}

	path = strings.Trim(u.Path, "/")
	if t.form == formSentinel {
		t.master, path, _ = strings.Cut(path, "/")
		if t.master == "" {
			return target{}, errURL("the name of the master is missing after the sentinels")
		}
	}
	if path != "" {
		if t.db, err = strconv.Atoi(path); err != nil || t.db < 0 {
			return target{}, errURL("the database is not a number of 0 or more")
		}
	}
	if t.form == formCluster && t.db != 0 {
		return target{}, errURL("a cluster has no database but 0")
	}
	for name, values := range u.Query() {
		switch {
		case t.form == formSentinel && name == "sentinel_user":
			t.sentinelUser = values[0]
		case t.form == formSentinel && name == "sentinel_password":
			t.sentinelPass = values[0]
		default:
			return target{}, errURL("?%s= is not known; the Sentinel form has sentinel_user and sentinel_password", name)
		}
	}
	return t, nil
}

// address completes host[:port].
func address(s, defaultPort string) (string, error) {
	host, port := s, defaultPort
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	} else if strings.Contains(s, ":") {
		return "", errURL("%q is not a host and port", s)
	}
	if n, err := strconv.Atoi(port); host == "" || err != nil || n < 1 || n > 65535 {
		return "", errURL("%q is not a host and port", s)
	}
	return net.JoinHostPort(host, port), nil
}

const (
	// dialTimeout: within a data centre a connection takes a millisecond; what
	// takes longer than this is away.
	dialTimeout = time.Second
	// answerTimeout is for commands without a deadline of their own.
	answerTimeout = 3 * time.Second
	// commandPool bounds the connections, to each node, for what is answered
	// at once: one for each append under way, the rest for history.
	commandPool = 32
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
