package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/server"
)

type listedTopic struct {
	Topic, Room, Last string
	Messages          int
}

func (s someone) topics(p *pod, query string) (list []listedTopic, next string) {
	s.t.Helper()
	var page struct {
		Topics []listedTopic
		Next   string
	}
	if err := json.Unmarshal([]byte(s.does(p, "GET", "/topics"+query, "", 200)), &page); err != nil {
		s.t.Fatal(err)
	}
	return page.Topics, page.Next
}

// TestTopicsListMyRooms: those in which nothing was said, too; and who is
// removed from a room is nothing that was said in it.
func TestTopicsListMyRooms(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		ann, bob, eve := enrol(t, here, "ann"), enrol(t, here, "bob"), enrol(t, here, "eve")
		id := roomOf(t, here, ann, bob)
		var room struct{ Created string }
		if err := json.Unmarshal([]byte(ann.does(here, "GET", "/rooms/"+id, "", 200)), &room); err != nil {
			t.Fatal(err)
		}
		silent := listedTopic{Topic: id, Room: "den", Last: room.Created}
		for _, p := range pods {
			if list, _ := bob.topics(p, ""); !slices.Equal(list, []listedTopic{silent}) {
				t.Errorf("a silent room: %+v; want %+v", list, silent)
			}
			if list, _ := eve.topics(p, ""); len(list) != 0 {
				t.Errorf("a stranger's topics: %+v", list)
			}
		}
		// A removal is no message.
		ann.does(here, "DELETE", "/rooms/"+id+"/members/"+eve.mail, "", 204)
		ann.does(here, "PUT", "/rooms/"+id+"/members/"+eve.mail, "", 204)
		ann.does(there, "DELETE", "/rooms/"+id+"/members/"+eve.mail, "", 204)
		var said struct{ Time string }
		if err := json.Unmarshal([]byte(ann.does(here, "POST", "/messages", `{"key":"k1","topic":"`+id+`","content":"one"}`, 201)), &said); err != nil {
			t.Fatal(err)
		}
		ann.does(here, "DELETE", "/rooms/"+id+"/members/"+bob.mail, "", 204)
		ann.does(here, "POST", "/messages", `{"key":"k2","topic":"tea","content":"later"}`, 201)
		for _, p := range pods {
			soon(t, "the list has tea", func() bool {
				list, _ := ann.topics(p, "")
				return len(list) == 2
			})
			list, _ := ann.topics(p, "")
			if want := (listedTopic{Topic: id, Room: "den", Messages: 1, Last: said.Time}); list[0].Topic != "tea" || list[1] != want {
				t.Errorf("after a removal: %+v; want %+v last", list, want)
			}
			if got := ann.does(p, "GET", "/messages?limit=1&topic="+id, "", 200); !strings.Contains(got, `"content":"one"`) || !strings.Contains(got, `"more":false`) {
				t.Errorf("history after a removal: %s", got)
			}
		}
		// Pages go on after silent rooms, too.
		want := map[string]bool{"tea": true, id: true}
		for i := range 5 {
			var made struct{ Room string }
			if err := json.Unmarshal([]byte(ann.does(here, "POST", "/rooms", fmt.Sprintf(`{"key":"r%d","name":"quiet"}`, i), 201)), &made); err != nil {
				t.Fatal(err)
			}
			want[made.Room] = true
		}
		query := "?limit=2"
		for pages := 0; ; pages++ {
			list, next := ann.topics(there, query)
			for _, topic := range list {
				if !want[topic.Topic] {
					t.Errorf("%s comes again, or is none of mine", topic.Topic)
				}
				delete(want, topic.Topic)
			}
			if query = "?limit=2&after=" + next; next == "" || pages > 10 {
				break
			}
		}
		if len(want) > 0 {
			t.Errorf("not listed: %v", want)
		}
	})
}

// awayDirectory is a directory that can be taken away, while the log stays.
type awayDirectory struct {
	people.Directory
	away *atomic.Bool
}

var errDirectoryAway = errors.New("the directory is away")

func (d awayDirectory) Changes(ctx context.Context, after string, wait time.Duration) ([]people.Change, string, error) {
	if d.away.Load() {
		return nil, "", errDirectoryAway
	}
	return d.Directory.Changes(ctx, after, wait)
}

func (d awayDirectory) Rooms(ctx context.Context, account string) ([]people.Room, error) {
	if d.away.Load() {
		return nil, errDirectoryAway
	}
	return d.Directory.Rooms(ctx, account)
}

func (d awayDirectory) Session(ctx context.Context, token people.Digest) (people.Account, error) {
	if d.away.Load() {
		return people.Account{}, errDirectoryAway
	}
	return d.Directory.Session(ctx, token)
}

// peopleAway is a store beside which the directory can be taken away.
type peopleAway struct {
	store
	away atomic.Bool
}

func (s *peopleAway) directory() people.Directory {
	return awayDirectory{directoryOf(s.store), &s.away}
}

// TestPeopleAway: a pod that cannot reach the store of people gives nothing of
// rooms, and does not say of any that it is gone; guests go on as before. When
// the store is back, so are the rooms, by a new welcome.
func TestPeopleAway(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store{
		"embedded": func(t *testing.T) store { return openLocal(t) },
		"Redis": func(t *testing.T) store {
			s, err := redisstore.Open(redisstore.Options{URL: redistest.Start(t).URL(), Partitions: 3})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &peopleAway{store: open(t)}
			p := startPod(t, podOptions{store: s})
			ann, bob, cat, guest := enrol(t, p, "ann"), enrol(t, p, "bob"), enrol(t, p, "cat"), someone{t: t}
			id := roomOf(t, p, ann, bob, cat)
			var said struct{ ID string }
			if err := json.Unmarshal([]byte(ann.does(p, "POST", "/messages", `{"key":"k","topic":"`+id+`","content":"secret"}`, 201)), &said); err != nil {
				t.Fatal(err)
			}
			c, reading := bob.hello(p, ""), cat.hello(p, `,"topics":["tea"]`)
			c.until(`"type":"rooms"`, id)
			reading.until(`"type":"rooms"`, id)
			outside := guest.hello(p, "")
			outside.until(`"type":"welcome"`)

			s.away.Store(true)
			soon(t, "what was heard is believed no longer", func() bool {
				c.write(text(`{"type":"history","ref":"h","topic":"` + id + `"}`))
				got := c.until(`"ref":"h"`)
				if strings.Contains(got, "not_found") {
					t.Fatalf("a room that may be there is denied: %s", got)
				}
				c.write(text(`{"type":"post","key":"never","topic":"~aaaaaaaaaaaaaaaa","content":"x"}`))
				return strings.Contains(c.until(`"key":"never"`), `"code":"unavailable"`)
			})
			for _, frame := range []string{
				`{"type":"post","key":"x","topic":"%s","content":"x"}`,
				`{"type":"post","key":"x","topic":"%s","content":"x","ephemeral":true}`,
				`{"type":"post","key":"x","topic":"tea","content":"x","reply_to":"` + said.ID + `"}`,
				`{"type":"vote","key":"x","id":"` + said.ID + `","vote":1}`,
				`{"type":"vote","key":"x","id":"0123456789abcdef00000000","vote":1}`, // as of one that never was
				`{"type":"history","ref":"x","reply_to":"` + said.ID + `"}`,
				`{"type":"subscribe","topics":["%s"]}`,
			} {
				for _, room := range []string{id, "~aaaaaaaaaaaaaaaa"} {
					c.write(text(strings.ReplaceAll(frame, "%s", room)))
					if got := c.until(`"type":"error"`); !strings.Contains(got, `"code":"unavailable"`) {
						t.Errorf("%s is answered %s", frame, got)
					}
				}
			}
			bob.does(p, "GET", "/messages?topic="+id, "", http.StatusServiceUnavailable)
			refused := bob.hello(p, "")
			refused.until(`"type":"error"`, `"code":"unavailable"`)
			outside.write(text(`{"type":"post","key":"g","name":"Gus","email":"gus@example.org","content":"still here"}`))
			outside.until("still here")
			guest.hello(p, "").until("still here")
			// Whoever is welcomed meanwhile is told of no rooms: that must not last.
			reading.write(text(`{"type":"subscribe","topics":["tea"]}`))
			reading.until(`"type":"welcome"`)

			s.away.Store(false)
			c.until("close 1001")
			reading.until("close 1001")
			refused.write(text(fmt.Sprintf(`{"type":"hello","token":%q}`, bob.token)))
			refused.until(`"type":"rooms"`, id)
			bob.does(p, "GET", "/messages?topic="+id, "", 200)
		})
	}
}

// TestGuestsMayNot: what guests may not do, they may not do badly either.
func TestGuestsMayNot(t *testing.T) {
	onStages(t, server.Config{Guests: "read", Registration: "open"}, func(t *testing.T, pods []*pod) {
		guest, ann := someone{t: t}, enrol(t, pods[0], "ann")
		var said struct{ ID string }
		if err := json.Unmarshal([]byte(ann.does(pods[0], "POST", "/messages", `{"key":"k","content":"x"}`, 201)), &said); err != nil {
			t.Fatal(err)
		}
		c := guest.hello(pods[1], "")
		c.until(`"type":"welcome"`)
		for _, body := range []string{
			`"content":"x"`, `"name":"Gus","email":"gus@example.org","content":""`,
			`"name":"Gus","email":"gus@example.org","content":"x","reply_to":"` + said.ID + `"`,
		} {
			guest.does(pods[0], "POST", "/messages", `{"key":"k",`+body+`}`, 401)
			for _, kind := range []string{`"ephemeral":true,`, ``} {
				c.write(text(`{"type":"post","key":"p",` + kind + body + `}`))
				c.until(`"code":"unauthorised"`, `"key":"p"`)
			}
		}
		guest.does(pods[0], "PUT", "/messages/"+said.ID+"/vote", `{"vote":1}`, 401)
		c.write(text(`{"type":"vote","key":"v","id":"` + said.ID + `","vote":1}`))
		c.until(`"code":"unauthorised"`, `"key":"v"`)
		room := roomOf(t, pods[0], ann)
		for _, topic := range []string{room, "~aaaaaaaaaaaaaaaa"} { // a room is not there for them, as ever
			guest.does(pods[0], "POST", "/messages", `{"key":"k","topic":"`+topic+`","name":"Gus","email":"gus@example.org","content":"x"}`, 404)
		}
	})
	t.Run("metrics under none", func(t *testing.T) {
		p := startPod(t, podOptions{edge: server.Config{Guests: "none", Registration: "open"}})
		ann := enrol(t, p, "ann")
		for _, c := range []struct {
			headers []string
			status  int
		}{{nil, 401}, {[]string{asBearer(ann.token)}, 200}} {
			if resp := call(t, "GET", p.url+"/metrics", "", c.headers...); resp.StatusCode != c.status {
				t.Errorf("metrics with %v: %s", c.headers, resp.Status)
			}
		}
	})
}

// TestRoomsFrameIsSeldom: however often a room changes, its members are told at
// most once a second, and of the last change for certain.
func TestRoomsFrameIsSeldom(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, bob := enrol(t, pods[0], "ann"), enrol(t, pods[0], "bob")
		id := roomOf(t, pods[0], ann, bob)
		c := bob.hello(pods[1], "")
		start := time.Now()
		c.until(`"type":"rooms"`, id)
		const changes = 60
		for i := range changes {
			ann.does(pods[0], "PATCH", "/rooms/"+id, fmt.Sprintf(`{"name":"name %d"}`, i+1), 200)
			time.Sleep(40 * time.Millisecond) // so that the changes take longer than a second
		}
		frames := 1
		for got := ""; !strings.Contains(got, fmt.Sprintf(`"name":"name %d"`, changes)); frames++ {
			got = c.until(`"type":"rooms"`)
		}
		// Counted against the time that it took: the bound is a rate.
		if most := int(time.Since(start)/time.Second) + 1; frames > most || frames < 3 {
			t.Errorf("told %d times; want 3 to %d", frames, most)
		}
	})
}

// TestNewMembersHearAtOnce: on the server that answered, what is said in a room
// right after somebody was added is shown to that one, live.
func TestNewMembersHearAtOnce(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, bob := enrol(t, pods[0], "ann"), enrol(t, pods[0], "bob")
		c := bob.hello(pods[0], "")
		c.until(`"type":"rooms"`)
		for i := range 30 {
			made := ann.does(pods[0], "POST", "/rooms", fmt.Sprintf(`{"key":"r%d","name":"den","members":["bob@example.org"]}`, i), 201)
			var room struct{ Room string }
			if err := json.Unmarshal([]byte(made), &room); err != nil {
				t.Fatal(err)
			}
			ann.does(pods[0], "POST", "/messages", fmt.Sprintf(`{"key":"m%d","topic":%q,"content":"x"}`, i, room.Room), 201)
			if f := hearType(t, c, "messages"); len(f.Messages) != 1 || f.Messages[0].Key != fmt.Sprint("m", i) {
				t.Fatalf("heard %+v; want m%d", f, i)
			}
		}
	})
}

// TestFilterFollowsRoomNames: a filter by a room's name goes by the rooms that
// its reader has now, and by their present names.
func TestFilterFollowsRoomNames(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		ann, bob := enrol(t, here, "ann"), enrol(t, here, "bob")
		c := bob.hello(there, `,"filter":"topic:den"`)
		c.until(`"type":"rooms"`)
		id := roomOf(t, here, ann, bob) // which is called den
		n, missed := 0, ""
		say := func() string {
			t.Helper()
			n++
			key := fmt.Sprint("k", n)
			ann.does(here, "POST", "/messages", fmt.Sprintf(`{"key":%q,"topic":%q,"content":"x"}`, key, id), 201)
			return fmt.Sprintf(`"key":%q`, key)
		}
		// hears tells whether a message comes, before the answer to what is asked after it was sent.
		hears := func(key string) bool {
			t.Helper()
			for {
				c.write(text(`{"type":"history","ref":"h","topic":"` + id + `","limit":1}`))
				came := false
				for {
					got := c.next()
					live := strings.Contains(got, `"type":"messages"`)
					came = came || live && strings.Contains(got, key)
					if live && missed != "" && strings.Contains(got, missed) {
						t.Errorf("by its old name is heard %s", got)
					}
					if strings.Contains(got, `"ref":"h"`) {
						if came || strings.Contains(got, key) {
							return came
						}
						break // the room, or the message, is not there yet
					}
				}
			}
		}
		soon(t, "a room that came later is heard", func() bool { return hears(say()) })
		ann.does(here, "PATCH", "/rooms/"+id, `{"name":"attic"}`, 200)
		c.until(`"type":"rooms"`, "attic")
		missed = say()
		ann.does(here, "PATCH", "/rooms/"+id, `{"name":"DEN"}`, 200)
		soon(t, "by a name that fits it is heard again", func() bool { return hears(say()) })
		ann.does(here, "POST", "/messages", `{"key":"t","topic":"tea","content":"not of the den"}`, 201)
		ann.does(here, "POST", "/messages", fmt.Sprintf(`{"key":"end","topic":%q,"content":"x"}`, id), 201)
		for got := ""; !strings.Contains(got, `"key":"end"`); {
			if got = c.next(); strings.Contains(got, "not of the den") {
				t.Errorf("through the filter comes %s", got)
			}
		}
	})
}
