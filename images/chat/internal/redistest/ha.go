package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// HA is a master, its two replicas and three Sentinels: when the master dies,
// the new one still has a replica, and appends that wait for one go on.
type HA struct {
	Master    *Server // as at the start
	Replicas  []*Server
	Sentinels []*Server
}

// MasterName is what the Sentinels call the master.
const MasterName = "chat"

// StartHA starts them and waits until everybody knows everybody.
func StartHA(t testing.TB) *HA {
	t.Helper()
	h := &HA{Master: Start(t)}
	for range 2 {
		h.Replicas = append(h.Replicas, StartReplica(t, h.Master))
	}
	host, port, _ := net.SplitHostPort(h.Master.Addr)
	for range 3 {
		dir := t.TempDir()
		s := &Server{t: t, dir: dir, Addr: fmt.Sprintf("127.0.0.1:%d", FreePort(t)), args: []string{"--sentinel"}}
		conf := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 2\n"+
			"sentinel down-after-milliseconds %[1]s 1000\n"+
			"sentinel failover-timeout %[1]s 5000\n", MasterName, host, port)
		if err := os.WriteFile(filepath.Join(dir, "sentinel.conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Run()
		t.Cleanup(s.Kill)
		h.Sentinels = append(h.Sentinels, s)
	}
	for _, s := range h.Sentinels {
		c := s.Client()
		s.until("it knows the others", func(ctx context.Context) error {
			info, err := c.Info(ctx, "sentinel").Result()
			if err == nil && !strings.Contains(info, "slaves=2,sentinels=3") {
				err = errors.New(info)
			}
			return err
		})
		c.Close()
	}
	return h
}

// StartReplica starts a durable replica and waits until it is in step.
func StartReplica(t testing.TB, master *Server) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(master.Addr)
	s := Start(t, "--replicaof", host+" "+port)
	s.inStep()
	return s
}

// inStep waits until the server, a replica, has its master's data.
func (s *Server) inStep() {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	s.until("the replica is in step", func(ctx context.Context) error {
		info, err := c.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		return err
	})
}

// URL is the store's URL for these Sentinels.
func (h *HA) URL() string {
	var addrs []string
	for _, s := range h.Sentinels {
		addrs = append(addrs, s.Addr)
	}
	return "redis+sentinel://" + strings.Join(addrs, ",") + "/" + MasterName + "/0"
}

// Cluster is three masters, each with one replica if asked for.
type Cluster struct {
	Masters, Replicas []*Server // as they were at the start
}

const slots = 16384

// StartCluster starts a Cluster and waits until it is whole.
func StartCluster(t testing.TB, replicas bool) *Cluster {
	t.Helper()
	const masters = 3
	c := new(Cluster)
	node := func() *Server {
		return Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
			"--cluster-replica-validity-factor", "0",
			// If one master dies, the slots of the others go on.
			"--cluster-require-full-coverage", "no")
	}
	for range masters {
		c.Masters = append(c.Masters, node())
		if replicas {
			c.Replicas = append(c.Replicas, node())
		}
	}
	all := append(append([]*Server(nil), c.Masters...), c.Replicas...)
	for i, s := range c.Masters {
		s.Do("cluster", "addslotsrange", i*slots/masters, (i+1)*slots/masters-1)
		s.Do("cluster", "set-config-epoch", i+1)
	}
	for _, s := range all[1:] {
		host, port, _ := net.SplitHostPort(s.Addr)
		all[0].Do("cluster", "meet", host, port)
	}
	for i, s := range c.Replicas {
		id, _ := c.Masters[i].Do("cluster", "myid").(string)
		cl := s.Client()
		s.until("it may replicate", func(ctx context.Context) error {
			return cl.Do(ctx, "cluster", "replicate", id).Err()
		})
		cl.Close()
		s.inStep()
	}
	for _, s := range all {
		cl := s.Client()
		s.until("the cluster is whole", func(ctx context.Context) error {
			info, err := cl.ClusterInfo(ctx).Result()
			if err == nil && !(strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(all)))) {
				err = errors.New(info)
			}
			if err != nil {
				return err
			}
			nodes, err := cl.ClusterNodes(ctx).Result()
			if err == nil && strings.Count(nodes, "slave") != len(c.Replicas) {
				err = errors.New(nodes)
			}
			return err
		})
		cl.Close()
	}
	return c
}

// URL is the store's URL for this Cluster.
func (c *Cluster) URL() string {
	var addrs []string
	for _, s := range c.Masters {
		addrs = append(addrs, s.Addr)
	}
	return "redis+cluster://" + strings.Join(addrs, ",")
}

// Owner is which of Masters had a key at the start.
func (c *Cluster) Owner(key string) int {
	c.Masters[0].t.Helper()
	slot, _ := c.Masters[0].Do("cluster", "keyslot", key).(int64)
	for i := range c.Masters {
		if int(slot) < (i+1)*slots/len(c.Masters) {
			return i
		}
	}
	c.Masters[0].t.Fatalf("nobody has slot %d", slot)
	return 0
}

// AwaitMaster waits until the Sentinels name another master than the first.
func (h *HA) AwaitMaster() {
	h.Master.t.Helper()
	s := h.Sentinels[0]
	c := s.Client()
	defer c.Close()
	s.until("there is a new master", func(ctx context.Context) error {
		v, err := c.Do(ctx, "sentinel", "get-master-addr-by-name", MasterName).StringSlice()
		if err == nil && net.JoinHostPort(v[0], v[1]) == h.Master.Addr {
			err = errors.New("still the first master")
		}
		return err
	})
}

// Promoted waits until the server, a replica so far, is a master.
func (s *Server) Promoted() {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	s.until("it is a master", func(ctx context.Context) error {
		info, err := c.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "role:master") {
			err = errors.New(info)
		}
		return err
	})
}

// Move is a key's slot on its way from one of Masters to the next.
type Move struct {
	c        *Cluster
	slot     int64
	from, to *Server
	fromID   any
	toID     any
}

// StartMove begins to move the slot of a key, which is where it was at the
// start, to the next master. No key has gone yet.
func (c *Cluster) StartMove(key string) *Move {
	c.Masters[0].t.Helper()
	owner := c.Owner(key)
	m := &Move{c: c, from: c.Masters[owner], to: c.Masters[(owner+1)%len(c.Masters)]}
	m.slot, _ = m.from.Do("cluster", "keyslot", key).(int64)
	m.fromID, m.toID = m.from.Do("cluster", "myid"), m.to.Do("cluster", "myid")
	m.to.Do("cluster", "setslot", m.slot, "importing", m.fromID)
	m.from.Do("cluster", "setslot", m.slot, "migrating", m.toID)
	return m
}

// Keys moves at most so many of the slot's keys, and reports how many there were.
func (m *Move) Keys(most int) int {
	m.from.t.Helper()
	keys, _ := m.from.Do("cluster", "getkeysinslot", m.slot, most).([]any)
	if len(keys) > 0 {
		host, port, _ := net.SplitHostPort(m.to.Addr)
		m.from.Do(append([]any{"migrate", host, port, "", 0, 5000, "keys"}, keys...)...)
	}
	return len(keys)
}

// End gives the slot to its new master.
func (m *Move) End() {
	m.from.t.Helper()
	for _, s := range append([]*Server{m.to, m.from}, m.c.Masters...) {
		s.Do("cluster", "setslot", m.slot, "node", m.toID)
	}
}
