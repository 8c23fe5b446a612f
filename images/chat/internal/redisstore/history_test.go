package redisstore_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// calls is how often a Redis has run a command.
func calls(t testing.TB, s *redistest.Server, command string) int {
	t.Helper()
	text, _ := s.Do("info", "commandstats").(string)
	_, rest, ok := strings.Cut(text, "cmdstat_"+command+":calls=")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ",")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A page from deep in the past costs as many entries as it shows and a few to
// find the place, whether the topic is hot, rare, or long silent.
func TestHistoryLooksAtFewEntries(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Options{URL: server.URL()})
	const entries = 1600
	var ids []chat.ID
	for n := range entries {
		topic := "hot"
		switch {
		case n%400 == 7:
			topic = "rare"
		case n == 3:
			topic = "silent"
		case n%3 == 0:
			topic = "warm"
		}
		ids = append(ids, appendTo(t, s, 0, []chat.Draft{{Key: fmt.Sprint(n), Topic: topic, Name: "n", Email: "e@example.org", Content: "c"}})[0].ID)
	}
	const page = 10
	for _, c := range []struct {
		topic string
		bound int // of ids; of another topic's message
		most  int // entries to look at, besides the page's
	}{
		{"hot", 9, 8}, {"hot", 600, 8}, {"hot", 1599, 8},
		{"warm", 700, 8}, {"warm", 1, 8},
		{"rare", 800, 2*6 + 2}, {"rare", 399, 2*6 + 2}, // three or four on the chain after the bound
		{"silent", 1000, 2}, {"silent", 4, 2},
		{"nobody", 1000, 0},
	} {
		before := calls(t, server, "xrange") + calls(t, server, "xrevrange")
		got, err := s.Before(within(t, patience), 0, c.topic, ids[c.bound].Pos, page)
		if err != nil {
			t.Fatal(err)
		}
		looked := calls(t, server, "xrange") + calls(t, server, "xrevrange") - before
		if looked > len(got)+1+c.most {
			t.Errorf("%d of %q before the %dth looked at %d entries, want at most %d more than it gave",
				len(got), c.topic, c.bound, looked, c.most)
		}
	}
}

// Topics cost nothing while they are idle: an append does not look at them.
func TestIdleTopicsCostNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Options{URL: server.URL(), Retention: chat.Retention{Messages: 100}})
	commands := func() (n int) {
		for _, c := range []string{"hmget", "hset", "hget", "hdel", "xadd", "xrange", "xtrim", "evalsha", "hgetall", "hscan"} {
			n += calls(t, server, c)
		}
		return n
	}
	work := func(prefix string, topics int) int {
		before := commands()
		for n := range 200 {
			d := drafts(fmt.Sprint(prefix, n), 1)
			d[0].Topic = fmt.Sprint("topic ", n%topics)
			appendTo(t, s, 0, d)
		}
		until(t, "retention has cut", func() bool { return len(readAll(t, s, 0)) < 120 })
		return commands() - before
	}
	few := work("few", 1)
	many := work("many", 200)
	if many > 2*few { // reading and polling vary
		t.Errorf("200 appends to one topic cost %d commands, to 200 topics %d", few, many)
	}
	topics, err := s.Topics(within(t, patience), 0)
	if err != nil || len(topics) > 120 {
		t.Errorf("%d topics are left, %v; want those with messages", len(topics), err)
	}
}
