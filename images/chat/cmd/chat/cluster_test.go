package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redistest"
)

// TestStartWithADeadShard: whichever shard of three is dead, a pod that starts
// gets ready; topics of the dead shard are unavailable, all others work. When
// the shard is back, the pod shows all of it.
func TestStartWithADeadShard(t *testing.T) {
	t.Parallel()
	const partitions = 3
	cluster := redistest.StartCluster(t, false)
	start := func() *pod {
		return startPod(t, "--redis-url", cluster.URL(), "--redis-partitions", fmt.Sprint(partitions), "--redis-min-replicas", "0")
	}
	var topics, homes = make([]string, partitions), make([]int, partitions) // by partition; of Masters
	for part := range partitions {
		homes[part] = cluster.Owner(fmt.Sprintf("chat:{p%d}:log", part))
		for i := 0; topics[part] == ""; i++ {
			if topic := fmt.Sprint("topic ", i); chat.PartitionOf(topic, partitions) == part {
				topics[part] = topic
			}
		}
	}
	people := cluster.Owner("chat:{people}:addresses")
	n, acked := 0, 0
	post := func(p *pod, topic string) (int, string) {
		n++
		status, text := p.ask(http.MethodPost, "/api/v1/messages", fmt.Sprintf(`{"key":"k%d","topic":%q,"name":"Ann","email":"ann@example.org","content":"hello"}`, n, topic))
		if status == http.StatusCreated {
			acked++
		}
		return status, text
	}
	before := start()
	for part, topic := range topics {
		until(t, fmt.Sprint("partition ", part, " takes posts"), func() bool { status, _ := post(before, topic); return status == http.StatusCreated })
	}
	before.kill()

	for dead, master := range cluster.Masters {
		master.Kill()
		p := start()
		until(t, fmt.Sprint("the pod is ready without shard ", dead), func() bool { return p.status("/readyz") == http.StatusOK })
		for part, topic := range topics {
			// While the accounts can't be reached nobody knows whether one has
			// a guest's address: then guests can't post.
			status, text := post(p, topic)
			if alive := homes[part] != dead && people != dead; alive && status != http.StatusCreated || !alive && status != http.StatusServiceUnavailable {
				t.Errorf("shard %d is dead; a post to partition %d, of shard %d: %d %s", dead, part, homes[part], status, text)
			}
			path := "/api/v1/messages?topic=" + fmt.Sprintf("topic%%20%s", topic[len("topic "):])
			status, text = p.ask(http.MethodGet, path, "")
			if alive := homes[part] != dead; alive && status != http.StatusOK || !alive && status != http.StatusServiceUnavailable {
				t.Errorf("shard %d is dead; history of partition %d, of shard %d: %d %s", dead, part, homes[part], status, text)
			}
		}
		if got := p.status("/readyz"); got != http.StatusOK {
			t.Errorf("shard %d is dead; readyz is %d", dead, got)
		}
		// Sockets, too: those who ask for topics of a shard that lives.
		for part, topic := range topics {
			if homes[part] != dead {
				newPersonOf(t, fmt.Sprint("reader ", dead, part), []string{topic}, p.addr).leave()
			}
		}
		master.Restart()
		for part, topic := range topics {
			until(t, fmt.Sprint("partition ", part, " takes posts again"), func() bool { status, _ := post(p, topic); return status == http.StatusCreated })
		}
		reader := newPerson(t, fmt.Sprint("reader of all ", dead), p.addr)
		reader.settled(t, acked)
		p.kill()
	}
}
