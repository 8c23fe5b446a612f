package chat

import (
	"fmt"
	"hash/fnv"
	"strings"
)

const (
	// MaxTopic is the most code points in the name of a topic.
	MaxTopic = 64
	// DefaultTopic takes a message whose topic is absent on the wire.
	DefaultTopic = "general"
)

// CleanTopic gives a topic's name as Line makes it. "*" is no name: it stands
// for every public topic.
func CleanTopic(topic string) (string, error) {
	topic, ok := Line(topic, MaxTopic)
	if !ok || topic == "*" {
		return "", badMessage(fmt.Sprintf(`topic: send 1 to %d visible characters on one line, and not "*"`, MaxTopic))
	}
	return topic, nil
}

// IsRoom reports whether a topic is that of a private room, or of none: no
// public topic begins with ~.
func IsRoom(topic string) bool { return strings.HasPrefix(topic, "~") }

// PartitionOf is where a topic lives among n partitions: FNV-1a, so that
// every process, in whatever language, finds the same.
func PartitionOf(topic string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(topic))
	return int(h.Sum32() % uint32(n))
}
