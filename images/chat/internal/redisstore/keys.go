package redisstore

import (
	"errors"
	"fmt"
	"strings"
)

// All keys are spelled here, for the prefix "chat":
//
//	chat:partitions       string  how many partitions the log has
//	chat:{presence}       hash    server → "people ms-when-said"
//	chat:{presence}:open  hash    server that takes more people → ms-when-said
//
// and for each partition N, with a hash tag so that one script finds all of
// them in one slot of a Cluster:
//
//	chat:{pN}:log         stream  one entry per batch; its form: entry.go
//	chat:{pN}:topics      hash    topic → "messages last-entry last-index"
//	chat:{pN}:meta        hash    epoch; head: position of the last message; floor: last
//	                              entry that retention removed; count, bytes:
//	                              ever appended; mark_count, mark_bytes, mark_ms: of the
//	                              last mark; rotated: when the generations moved on;
//	                              duplicates: repeats of keys seen
//	chat:{pN}:marks       list    "entry count bytes": where retention may cut
//	chat:{pN}:keys0 … 2   hash    chat.KeyDigest of an event → its position; three
//	                              generations, of which the oldest is forgotten
type partKeys struct {
	log, topics, meta, marks string
	keys                     [3]string
	all                      []string // in the order of the scripts' KEYS 1..7
}

type globalKeys struct{ partitions, presence, open string }

func newGlobalKeys(prefix string) (globalKeys, error) {
	if strings.ContainsAny(prefix, "{}") {
		return globalKeys{}, errors.New("key prefix: braces are not allowed, they decide a Cluster's slots")
	}
	return globalKeys{partitions: prefix + ":partitions", presence: prefix + ":{presence}", open: prefix + ":{presence}:open"}, nil
}

func newPartKeys(prefix string, n int) partKeys {
	p := fmt.Sprintf("%s:{p%d}:", prefix, n)
	k := partKeys{
		log: p + "log", topics: p + "topics", meta: p + "meta", marks: p + "marks",
		keys: [3]string{p + "keys0", p + "keys1", p + "keys2"},
	}
	k.all = append([]string{k.log, k.topics, k.meta, k.marks}, k.keys[:]...)
	return k
}
