package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// digestOf is the digest of a token that a number names.
func digestOf(n, m int) (d people.Digest) {
	copy(d[:], fmt.Sprintf("token %d %d", n, m))
	return d
}

// The slot of accounts and rooms moves to another master while people
// register, sign in and make rooms, and while others post. Of what they do
// nothing fails, is lost or done twice. A script of the directory finds keys by
// what it reads, so it can't run while some are here and some there: it waits.
func TestPeopleMoveUnderLoad(t *testing.T) {
	t.Parallel()
	const groups = 4
	c := redistest.StartCluster(t, false)
	opt := redisstore.Options{URL: c.URL(), Partitions: 3, MinReplicas: redisstore.NoReplicas}
	s := open(t, opt)
	d := s.Directory()
	posters := startPoster(s, 0, topicIn(0, 3), "m-")
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	var done atomic.Int64
	var made [groups]int
	for g := range groups {
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				call, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				id, folded := fmt.Sprintf("account%dx%d", g, n), fmt.Sprintf("ann%d.%d@example.org", g, n)
				began := time.Now()
				err := errors.Join(
					d.Register(call, people.Account{ID: id, Email: folded, Folded: folded, Name: "Ann", Password: "hash"}, digestOf(g, n)),
					d.SignIn(call, id, "hash", digestOf(g+groups, n), ""),
				)
				if a, sessionErr := d.Session(call, digestOf(g+groups, n)); sessionErr != nil || a.ID != id {
					err = errors.Join(err, sessionErr, fmt.Errorf("the token is %q's", a.ID))
				}
				_, repeated, roomErr := d.CreateRoom(call, people.NewRoom{ID: fmt.Sprintf("~room%dx%d", g, n), Name: "Tea", Creator: id, Key: "k"})
				if roomErr != nil || repeated {
					err = errors.Join(err, roomErr, fmt.Errorf("repeated: %t", repeated))
				}
				cancel()
				if err != nil {
					t.Errorf("account %s, after %v: %v", id, time.Since(began), err)
					return
				}
				made[g] = n + 1
				done.Add(1)
			}
		})
	}
	more := func(n int64) {
		t.Helper()
		until := time.Now().Add(patience)
		for from := done.Load(); done.Load() < from+n && !t.Failed(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("nobody gets on")
			}
		}
	}
	more(10)
	move := c.StartMove("chat:{people}:changes")
	began := time.Now()
	for move.Keys(20) > 0 { // the rest is elsewhere for a while
		time.Sleep(20 * time.Millisecond)
	}
	took := time.Since(began)
	move.End()
	more(10)
	stop()
	working.Wait()
	posters.end()
	if len(posters.errs) > 0 {
		t.Errorf("%d posts failed: %q", len(posters.errs), posters.errs[0])
	}
	all := 0
	for g := range groups {
		for n := range made[g] {
			a, err := d.AccountAt(within(t, patience), fmt.Sprintf("ann%d.%d@example.org", g, n))
			if err != nil || a.ID != fmt.Sprintf("account%dx%d", g, n) {
				t.Fatalf("after the move: %+v, %v", a, err)
			}
			if rooms, err := d.Rooms(within(t, patience), a.ID); err != nil || len(rooms) != 1 {
				t.Fatalf("rooms after the move: %+v, %v", rooms, err)
			}
			all++
		}
	}
	t.Logf("%d people registered, signed in and made a room; moving the slot took %v; %d posts", all, took.Round(time.Millisecond), len(posters.acked))
}
