// Package redisnode runs one node of the set that holds the log on Kubernetes:
// a Redis, and the Sentinel beside it. It decides whether a Redis starts as
// master or as a replica, and writes the configuration of both. It says when a
// Redis is ready, and hands the master over before a node leaves. Redis and
// Sentinel are the official ones: this binary is put beside them, and becomes
// them (exec).
//
// # Who is master
//
// The word of the Sentinels comes first, for each failover has a higher epoch
// than the one before. Then comes that of the other Redis. If no node names a
// master, the set is new, and its first node begins as master.
//
// A node that is named master but has an empty disk does not begin: the others
// would copy it and lose their data. It waits until another node is named, or
// until all others answer and have no data either.
package redisnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// MasterName is what the Sentinels call the master.
const MasterName = "chat"

const (
	// askTimeout bounds one question to one Redis or Sentinel. Within a cluster
	// an answer takes a millisecond.
	askTimeout = 2 * time.Second
	// askPause is between two rounds of questions.
	askPause = 200 * time.Millisecond
)

// Addr is where the others find a node.
type Addr struct {
	Host            string // a name that ends in a dot, or an IP address
	Redis, Sentinel int    // ports
}

func (a Addr) String() string { return hostPort(a.Host, a.Redis) }

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// Passwords are those of the users "chat" (of the chat's pods) and "system" (of
// Redis and Sentinel among themselves). What is in Also is accepted too, which
// is how a password is changed without an outage.
type Passwords struct {
	Chat, ChatAlso, System, SystemAlso string
}

// PublicPassword is the beginning of the passwords in chatapp.yaml, which
// everybody can read.
const PublicPassword = "chatappChangeMe"

// Node is one node of the set. Its methods do not change it.
type Node struct {
	Name  string // redis-0; the Sentinel's id is made of it
	Me    Addr
	Peers []Addr // the others
	First Addr   // master of a set that never ran

	Dir       string // of the data and of both configurations; kept over restarts
	Tmp       string // Sentinel's working folder
	Bind      string // address to listen on; "": all
	MaxMemory string // of Redis, as its configuration has it: 512mb
	Passwords Passwords

	Log *slog.Logger `json:"-"`
}

func (n *Node) redisConf() string    { return filepath.Join(n.Dir, "redis.conf") }
func (n *Node) sentinelConf() string { return filepath.Join(n.Dir, "sentinel.conf") }

// dial gives a client of the user "system"; the caller closes it.
func (n *Node) dial(host string, port int) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: hostPort(host, port), Username: "system", Password: n.Passwords.System,
		Protocol: 2, MaxRetries: -1, DialerRetries: 1, PoolSize: 1, ContextTimeoutEnabled: true,
		DialTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// ask sends one command on a connection of its own.
func (n *Node) ask(ctx context.Context, host string, port int, command ...any) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c := n.dial(host, port)
	defer c.Close()
	return c.Do(ctx, command...)
}

// local is where this node's own processes listen.
func (n *Node) local() string {
	if n.Bind != "" {
		return n.Bind
	}
	return "127.0.0.1"
}

// role is what ROLE says of a Redis.
type role struct {
	master    bool
	of        Addr   // of a replica: its master; Sentinel is 0
	connected bool   // of a replica: the link to the master stands, and the copy is whole
	offset    int64  // of the replication stream: written, or received
	replicas  []Addr // of a master: those connected; Sentinel is 0
}

func (n *Node) role(ctx context.Context, host string, port int) (role, error) {
	answer, err := n.ask(ctx, host, port, "role").Slice()
	if err != nil {
		return role{}, fmt.Errorf("ask %s for its role: %w", hostPort(host, port), err)
	}
	r, ok := parseRole(answer)
	if !ok {
		return role{}, fmt.Errorf("%s tells its role in an unknown form", hostPort(host, port))
	}
	return r, nil
}

func parseRole(answer []any) (r role, ok bool) {
	text := func(i int) string {
		if i >= len(answer) {
			return ""
		}
		s, _ := answer[i].(string)
		return s
	}
	switch text(0) {
	case "master":
		if len(answer) != 3 {
			return r, false
		}
		r.master = true
		r.offset, ok = answer[1].(int64)
		list, _ := answer[2].([]any)
		for _, entry := range list {
			fields, _ := entry.([]any)
			if len(fields) != 3 {
				return r, false
			}
			host, _ := fields[0].(string)
			port, _ := fields[1].(string)
			number, err := strconv.Atoi(port)
			if err != nil {
				return r, false
			}
			r.replicas = append(r.replicas, Addr{Host: host, Redis: number})
		}
		return r, ok
	case "slave":
		if len(answer) != 5 {
			return r, false
		}
		port, ok1 := answer[2].(int64)
		offset, ok2 := answer[4].(int64)
		r.of = Addr{Host: text(1), Redis: int(port)}
		r.connected, r.offset = text(3) == "connected", offset
		return r, ok1 && ok2
	}
	return r, false
}

// pause waits between two rounds of questions; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// await waits until a name can be looked up: the name of a pod may be there
// later than the pod.
func await(ctx context.Context, host string) error {
	for {
		_, err := net.DefaultResolver.LookupHost(ctx, host)
		if err == nil {
			return nil
		}
		if !pause(ctx, askPause) {
			return fmt.Errorf("look up %s: %w", host, errors.Join(context.Cause(ctx), err))
		}
	}
}
