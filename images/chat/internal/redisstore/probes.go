package redisstore

import "sync"

// probes are the places where writes may be refused. The zero value has none.
type probes struct {
	mu   sync.Mutex
	list []probe
}

type probe struct {
	away     *outage // of writes
	replicas *replicaSet
	key, arg string // of lua/probe.lua
}

func (l *probes) add(away *outage, replicas *replicaSet, key, arg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, probe{away, replicas, key, arg})
}

func (l *probes) all() []probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list[:len(l.list):len(l.list)]
}
