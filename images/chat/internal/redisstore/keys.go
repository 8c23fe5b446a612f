package redisstore

import (
	"errors"
	"fmt"
	"strings"

	"chatapp/chat/internal/chat"
)

const (
	// keyGenerations are kept; a key is in the newest for up to a period, in
	// the next for one, and in the oldest for one: it is remembered for at
	// least two periods, and is gone after three.
	keyGenerations = 3
	keyPeriod      = chat.KeyMemory / (keyGenerations - 1)
)

// All keys are spelled here, for the prefix "chat":
//
//	chat:partitions       string  how many partitions the log has
//	chat:{presence}       hash    server → "people ms-when-said"
//	chat:{presence}:open  hash    server that takes more people → ms-when-said
//	chat:{presence}:about hash    server → "guests moment": chat.Delta.To
//	chat:{presence}:users hash    account → at how many servers it is
//	chat:{presence}:users:SERVER set the accounts at a server
//
// and for each partition N, with a hash tag so that one script finds all of
// them in one slot of a Cluster:
//
//	chat:{pN}:log         stream  one entry per batch; its form: entry.go
//	chat:{pN}:partitions  string  as chat:partitions, which may be on a Redis that is away
//	chat:{pN}:topics      hash    topic → "messages last-entry last-index"
//	chat:{pN}:topics:rooms hash   the same of rooms, for those who know of rooms; the
//	                              scripts find it by the name of the hash before
//	chat:{pN}:meta        hash    epoch; head: position of the last message; floor: last
//	                              entry that retention removed; count, bytes:
//	                              ever appended; mark_count, mark_bytes, mark_ms: of the
//	                              last mark; rotated: when the generations moved on;
//	                              duplicates: repeats of keys seen; rev: of the last
//	                              change of numbers; ballots, deletions: ever counted
//	chat:{pN}:marks       list    "entry count bytes": where retention may cut
//	chat:{pN}:keys0 … 2   hash    chat.KeyDigest of an event → its position; three
//	                              generations, of which the oldest is forgotten
//	chat:{pN}:numbers, touched, changes, updates, up, down, replies
//	                      the numbers beside messages: lua/numbers.lua, lua/vote.lua;
//	                      replies is a sorted set, all scored 0, of two positions:
//	                      the message's and the reply's
//	                      on a Cluster, none of these but meta and partitions is ever missing: lua/plant.lua
//	chat:{pN}:ephemeral   channel of publish/subscribe: broadcast.go
//
// and, of the directory, all with one hash tag (the scripts of lua/people find
// them by this prefix, and by what they read):
//
//	chat:{people}:addresses       hash    folded address → account
//	chat:{people}:account:ACCOUNT hash    email, folded, name, password (its hash), created
//	chat:{people}:tokens:ACCOUNT  zset    digest of a token, by the hour of its last use
//	chat:{people}:token:DIGEST    string  "account hour"
//	chat:{people}:wrong:ADDRESS   list    when the last wrong passwords came, newest first
//	chat:{people}:room:ROOM       hash    name, creator, created, version
//	chat:{people}:members:ROOM    zset    account, by the version with which it joined
//	chat:{people}:rooms:ACCOUNT   set     its rooms
//	chat:{people}:created:ACCOUNT set     the rooms that it is creator of
//	chat:{people}:made:ACCOUNT:KEY string "ms room": what a key has made; KEY is a digest
//	chat:{people}:filters:ACCOUNT hash    name → filter
//	chat:{people}:changes         stream  a change each: people.Change
//	chat:{people}:call:CALL       string  the answer of a call, in case it is asked for again
type partKeys struct {
	log, topics, meta, marks string
	keys                     [keyGenerations]string
	partitions               string
	all                      []string // in the order of the scripts' KEYS 1..7

	numbers, touched, changes, updates, up, down, replies string

	ephemeral string // a channel

	// In the order of KEYS: of append.lua where there are replies, vote.lua,
	// forget.lua, plant.lua.
	replying, vote, forget, plant []string
}

type globalKeys struct{ partitions, presence, open, about, users string }

func newGlobalKeys(prefix string) (globalKeys, error) {
	if strings.ContainsAny(prefix, "{}") {
		return globalKeys{}, errors.New("key prefix: braces are not allowed, they decide a Cluster's slots")
	}
	return globalKeys{partitions: prefix + ":partitions", presence: prefix + ":{presence}", open: prefix + ":{presence}:open",
		about: prefix + ":{presence}:about", users: prefix + ":{presence}:users"}, nil
}

// rooms is what the topics of rooms are kept in.
func (k partKeys) rooms() string { return k.topics + ":rooms" }

func newPartKeys(prefix string, n int) partKeys {
	p := fmt.Sprintf("%s:{p%d}:", prefix, n)
	k := partKeys{
		log: p + "log", topics: p + "topics", meta: p + "meta", marks: p + "marks",
		keys:       [keyGenerations]string{p + "keys0", p + "keys1", p + "keys2"},
		partitions: p + "partitions",
	}
	k.all = append([]string{k.log, k.topics, k.meta, k.marks}, k.keys[:]...)
	k.numbers, k.touched, k.changes, k.updates = p+"numbers", p+"touched", p+"changes", p+"updates"
	k.up, k.down, k.replies = p+"up", p+"down", p+"replies"
	k.ephemeral = p + "ephemeral"
	k.replying = append(k.all[:len(k.all):len(k.all)], k.numbers, k.touched, k.changes, k.updates, k.replies)
	k.vote = []string{k.meta, k.numbers, k.touched, k.changes, k.updates, k.up, k.down}
	k.forget = []string{k.meta, k.numbers, k.touched, k.changes, k.up, k.down, k.replies}
	k.plant = append(k.all[:len(k.all):len(k.all)], k.rooms(), k.numbers, k.touched, k.changes, k.updates, k.up, k.down, k.replies)
	return k
}

// peopleKeys are the directory's, as far as Go spells them.
type peopleKeys struct{ prefix, addresses, changes string }

func newPeopleKeys(prefix string) peopleKeys {
	p := prefix + ":{people}:"
	return peopleKeys{prefix: p, addresses: p + "addresses", changes: p + "changes"}
}

func (k peopleKeys) call(id string) string         { return k.prefix + "call:" + id }
func (k peopleKeys) filters(account string) string { return k.prefix + "filters:" + account }
