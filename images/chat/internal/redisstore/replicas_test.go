package redisstore

import (
	"slices"
	"testing"
)

const infoReplication = "# Replication\r\nrole:master\r\nconnected_slaves:3\r\n" +
	"slave0:ip=redis-1.redis.a.,port=6379,state=online,offset=100,lag=0\r\n" +
	"slave1:ip=10.0.0.3,port=6380,state=online,offset=90,lag=1\r\n" +
	"slave2:ip=10.0.0.4,port=6379,state=wait_bgsave,offset=0,lag=0\r\n" +
	"master_failover_state:no-failover\r\nmaster_replid:abc\r\nmaster_replid2:000\r\nmaster_repl_offset:100\r\n"

func TestParseLook(t *testing.T) {
	t.Parallel()
	l, err := parseLook(infoReplication)
	if err != nil {
		t.Fatal(err)
	}
	if !l.master || l.history != "abc" || l.offset != 100 || len(l.replicas) != 2 ||
		l.replicas["redis-1.redis.a.:6379"] != 100 || l.replicas["10.0.0.3:6380"] != 90 {
		t.Errorf("%+v", l)
	}
	if l, err := parseLook("role:slave\r\nmaster_replid:abc\r\nmaster_repl_offset:7\r\n"); err != nil || l.master {
		t.Errorf("a replica: %+v, %v", l, err)
	}
	for _, bad := range []string{"", "role:master", "role:master\r\nmaster_replid:a\r\nmaster_repl_offset:x\r\n"} {
		if _, err := parseLook(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The life of a replica: in step, away, excused, back but behind, in step.
func TestReplicaSet(t *testing.T) {
	t.Parallel()
	var r replicaSet
	if n, known := r.want(1); n != 1 || known {
		t.Errorf("a set that has seen nothing wants %d, %t", n, known)
	}
	at := func(offset int64, replicas map[string]int64) look {
		return look{master: true, history: "first", offset: offset, replicas: replicas}
	}
	for _, step := range []struct {
		what    string
		look    look
		n       int
		missing []string
		excuse  bool
		want    int // of the next write
	}{
		{"both are there", at(10, map[string]int64{"a": 10, "b": 10}), 2, nil, false, 2},
		{"one is slow to tell, both have confirmed", at(20, map[string]int64{"a": 20, "b": 10}), 2, nil, false, 2},
		{"a has not confirmed", at(30, map[string]int64{"a": 20, "b": 30}), 1, []string{"a"}, false, 2},
		{"a is gone", at(40, map[string]int64{"b": 40}), 1, []string{"a"}, false, 2},
		{"a is gone, and two have confirmed: who?", at(50, map[string]int64{"b": 50, "c": 50}), 2, []string{"a"}, true, 2},
		{"a is excused", at(60, map[string]int64{"b": 60, "c": 60}), 2, nil, false, 2},
		{"a is back, and behind", at(70, map[string]int64{"a": 20, "b": 70, "c": 70}), 2, nil, false, 2},
		{"a has caught up", at(80, map[string]int64{"a": 70, "b": 80, "c": 80}), 2, nil, false, 3},
		{"another master", look{master: true, history: "second", offset: 5, replicas: map[string]int64{"b": 5}}, 1, nil, false, 1},
		{"its first replica is in step", look{master: true, history: "second", offset: 6, replicas: map[string]int64{"b": 6, "a": 5}}, 1, nil, false, 2},
	} {
		missing := r.see(step.look, step.n)
		if !slices.Equal(missing, step.missing) {
			t.Errorf("%s: missing %v, want %v", step.what, missing, step.missing)
		}
		if step.excuse {
			for _, addr := range missing {
				r.excuse(addr)
			}
		}
		if n, known := r.want(1); n != step.want || !known {
			t.Errorf("%s: the next write wants %d, want %d", step.what, n, step.want)
		}
	}
}
