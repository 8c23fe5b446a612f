package main_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/redistest"
)

// TestPartition parts a master and one pod from the two replicas, the three
// Sentinels and the other pod. On the master's side a message is in the log
// that no replica has: it is shown, and not acknowledged. On the other side a
// replica becomes the master, and the pod that has never seen that message is
// the first to post. When both sides meet, the first pod knows what the log has
// lost: its people are told (recovered: false), and it is logged.
//
// The cut is made by who may log in where: the first pod and the master have a
// user of their own. So it needs no rights over the machine's network.
func TestPartition(t *testing.T) {
	t.Parallel()
	ha := redistest.StartHA(t)
	allow := []any{"acl", "setuser", "side", "on", ">p", "~*", "&*", "+@all"}
	for _, s := range append(append([]*redistest.Server{ha.Master}, ha.Replicas...), ha.Sentinels...) {
		s.Do(allow...)
	}
	// What an outage has refused comes back all at once: no limit is wanted here.
	here := startPod(t, "--post-rate", "0", "--redis-url", strings.Replace(ha.URL(), "://", "://side:p@", 1)+"?sentinel_user=side&sentinel_password=p")
	there := startPod(t, "--post-rate", "0", "--redis-url", ha.URL())
	ann, ben := newPerson(t, "ann", here.addr), newPerson(t, "ben", there.addr)
	const before = 20
	for i := range before {
		ben.post(fmt.Sprint("before", i), "tea", "hello")
	}
	ann.settled(t, before)
	ben.settled(t, before)

	for _, s := range ha.Sentinels {
		s.Do("acl", "setuser", "side", "off")
		s.Do("client", "kill", "user", "side")
	}
	master := redis.NewClient(&redis.Options{Addr: ha.Master.Addr, Username: "side", Password: "p", Protocol: 2, DisableIdentity: true})
	defer master.Close()
	do := func(args ...any) {
		t.Helper()
		if err := master.Do(context.Background(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	do("acl", "setuser", "default", "off")
	do("client", "kill", "user", "default")
	ann.post("lost", "tea", "hello?")
	until(t, "ann sees her message, which is on one side alone", func() bool { return ann.get(func() bool { return len(ann.seen) == before+1 }) })
	if ann.get(func() bool { return ann.acked["lost"] != "" }) {
		t.Fatal("it was acknowledged, and no replica has it")
	}
	ha.AwaitMaster()
	const after = 20
	for i := range after {
		ben.post(fmt.Sprint("after", i), "tea", "hello")
	}
	ben.settled(t, before+after)
	if ann.get(func() bool { return ann.unrecovered > 0 }) {
		t.Error("ann was told that the past is another one; so far nobody could know")
	}

	do("acl", "setuser", "default", "on", "nopass", "~*", "&*", "+@all")
	for _, s := range ha.Sentinels {
		s.Do(allow...)
	}
	until(t, "ann is told", func() bool { return ann.get(func() bool { return ann.unrecovered > 0 }) })
	ann.settled(t, before+1+after) // her message is sent again, as another
	storedOnce(t, there.addr, ann, ben)
	for _, p := range []*pod{here, there} {
		until(t, "a pod logs that the log has lost its tail", func() bool {
			log, err := os.ReadFile(p.log.Name())
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(string(log), "the log was emptied or lost its tail")
		})
	}
}
