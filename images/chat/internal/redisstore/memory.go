package redisstore

import (
	"strconv"
	"strings"
	"sync"
)

// memory is how much of Redis's memory the log may take, and how much it takes.
type memory struct {
	mu      sync.Mutex
	set     int64       // what may be taken; 0: no limit, or not known yet
	uses    map[int]use // by partition
	said    string      // of Redis's settings, as last logged
	unknown sync.Once   // says that INFO is not allowed
}

// use is what a partition takes, in bytes.
type use struct {
	all, keys int64
	cut       bool // messages were removed for the sake of memory alone
}

func (m *memory) budget() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set
}

func (m *memory) used(part int, u use) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.uses == nil {
		m.uses = map[int]use{}
	}
	m.uses[part] = u
}

// redisMemory is what INFO says of a node.
type redisMemory struct {
	max    int64 // 0: no limit
	policy string
}

func parseMemory(info string) (m redisMemory, ok bool) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "maxmemory":
			n, err := strconv.ParseInt(value, 10, 64)
			m.max, ok = n, err == nil
		case "maxmemory_policy":
			m.policy = value
		}
	}
	return m, ok && m.policy != ""
}
