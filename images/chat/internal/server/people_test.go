package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
	"chatapp/chat/internal/server"
)

// onStages runs a test over a file with one server, and over Redis with two.
func onStages(t *testing.T, edge server.Config, test func(t *testing.T, pods []*pod)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		p := startPod(t, podOptions{edge: edge})
		test(t, []*pod{p, p})
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		redis := redistest.Start(t)
		var pods []*pod
		for i := range 2 {
			s, err := redisstore.Open(redisstore.Options{URL: redis.URL(), Partitions: 3})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			pods = append(pods, startPod(t, podOptions{name: fmt.Sprint("chat-", i), store: s, edge: edge}))
		}
		test(t, pods)
	})
}

// someone is an account and how it calls.
type someone struct {
	t                    *testing.T
	account, token, mail string
}

const secret = "correct horse"

func asBearer(token string) string { return "Authorization: Bearer " + token }

// enrol registers name@example.org.
func enrol(t *testing.T, p *pod, name string) someone {
	t.Helper()
	mail := name + "@example.org"
	resp := call(t, "POST", p.url+"/api/v1/accounts", fmt.Sprintf(`{"email":%q,"name":%q,"password":%q}`, mail, name, secret), asJSON)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("register %s: %s %s", name, resp.Status, bodyOf(t, resp))
	}
	got := decode[struct {
		Account struct{ Account, Email, Name string }
		Token   string
	}](t, resp)
	if got.Account.Email != mail || got.Account.Name != name || len(got.Account.Account) != 16 || got.Token == "" {
		t.Fatalf("register %s: %+v", name, got)
	}
	return someone{t, got.Account.Account, got.Token, mail}
}

// does makes a call and checks its status; the body is given.
func (s someone) does(p *pod, method, path, body string, status int) string {
	s.t.Helper()
	headers := []string{asBearer(s.token)}
	if s.token == "" {
		headers = nil
	}
	if body != "" {
		headers = append(headers, asJSON)
	}
	resp := call(s.t, method, p.url+"/api/v1"+path, body, headers...)
	text := bodyOf(s.t, resp)
	if resp.StatusCode != status {
		s.t.Errorf("%s %s %s: %s %s; want %d", method, path, body, resp.Status, text, status)
	}
	return text
}

// hello opens a socket and gives what comes after what is sent.
func (s someone) hello(p *pod, more string) *rawConn {
	s.t.Helper()
	c := openRaw(s.t, p)
	s.t.Cleanup(func() { c.Close() })
	if s.token != "" {
		more += fmt.Sprintf(`,"token":%q`, s.token)
	}
	c.write(text(`{"type":"hello"` + more + `}`))
	return c
}

// until reads frames up to one that holds all of the words.
func (c *rawConn) until(words ...string) string {
	c.t.Helper()
	for {
		got, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %q: %v", words, err)
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(got, w) }) {
			return got
		}
		if ended(got) {
			c.t.Fatalf("the socket ended; want %q", words)
		}
	}
}

// soon polls: what holds on every pod within 2 s. It measures nothing.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting: %s", what)
		}
	}
}

func TestAccounts(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		guest := someone{t: t}
		ann := enrol(t, here, "ann")
		post := func(body string, status int) string {
			return guest.does(here, "POST", "/accounts", body, status)
		}
		post(`{"email":"ANN@example.org","name":"x","password":"correct horse"}`, 409)
		post(`{"email":"x","name":"x","password":"correct horse"}`, 400)
		post(`{"email":"x@example.org","name":"x","password":"too short"}`, 400)
		post(`{"email":null,"name":"x","password":"correct horse"}`, 400)
		post(`nonsense`, 400)

		// In the same words whether or not there is such an account.
		known := guest.does(there, "POST", "/session", `{"email":"ann@example.org","password":"a wrong password"}`, 401)
		if unknown := guest.does(there, "POST", "/session", `{"email":"nobody@example.org","password":"a wrong password"}`, 401); unknown != known {
			t.Errorf("known %s, unknown %s", known, unknown)
		}
		// Signing in would help whoever is signed in already, too.
		if again := ann.does(there, "POST", "/session", `{"email":"ann@example.org","password":"a wrong password"}`, 401); again != known {
			t.Errorf("with a token %s, without %s", again, known)
		}
		in := guest.does(there, "POST", "/session", `{"email":"Ann@example.org","password":"correct horse"}`, 200)
		var second struct{ Token string }
		if err := json.Unmarshal([]byte(in), &second); err != nil || second.Token == "" || second.Token == ann.token {
			t.Errorf("signed in: %s", in)
		}
		other := someone{t, ann.account, second.Token, ann.mail}

		me := ann.does(there, "GET", "/session", "", 200)
		if diff := answers("text "+me, fmt.Sprintf(`text {"account":{"account":%q,"email":"ann@example.org","name":"ann"},"features":["people","rooms","conversation"],"guests":"post","registration":"open"}`, ann.account)); diff != "" {
			t.Error(diff)
		}
		if none := guest.does(there, "GET", "/session", "", 200); !strings.Contains(none, `"account":null`) {
			t.Errorf("a guest: %s", none)
		}
		someone{t: t, token: "nonsense"}.does(there, "GET", "/session", "", 401)
		someone{t: t, token: "nonsense"}.does(there, "GET", "/topics", "", 401)

		ann.does(here, "PATCH", "/account", `{"name":"Anna","current_password":"a wrong password"}`, 403)
		ann.does(here, "PATCH", "/account", `{"name":"Anna"}`, 400)
		ann.does(here, "PATCH", "/account", `{"name":null,"current_password":"correct horse"}`, 400)
		guest.does(here, "PATCH", "/account", `{"name":"Anna","current_password":"correct horse"}`, 401)
		if got := ann.does(here, "PATCH", "/account", `{"name":"Anna","password":"another password","current_password":"correct horse"}`, 200); !strings.Contains(got, `"name":"Anna"`) {
			t.Errorf("changed: %s", got)
		}
		other.does(there, "GET", "/session", "", 401)
		ann.does(there, "GET", "/session", "", 200)
		ann.does(here, "DELETE", "/session", "", 204)
		ann.does(there, "GET", "/session", "", 401)
		guest.does(here, "DELETE", "/session", "", 401)
		in = guest.does(there, "POST", "/session", `{"email":"ann@example.org","password":"another password"}`, 200)
		if err := json.Unmarshal([]byte(in), &second); err != nil {
			t.Fatal(err)
		}
		ann.token = second.Token
		ann.does(here, "DELETE", "/account", `{"current_password":"a wrong password"}`, 403)
		ann.does(here, "DELETE", "/account", `{"current_password":"another password"}`, 204)
		ann.does(there, "GET", "/session", "", 401)
		if again := enrol(t, there, "ann"); again.account == ann.account {
			t.Error("the account's name was given twice")
		}
	})
}

func TestGuestsSettings(t *testing.T) {
	draft := `{"key":"k","name":"Gus","email":"gus@example.org","content":"x"}`
	t.Run("read", func(t *testing.T) {
		onStages(t, server.Config{Guests: "read", Registration: "open"}, func(t *testing.T, pods []*pod) {
			guest, ann := someone{t: t}, enrol(t, pods[0], "ann")
			guest.does(pods[0], "POST", "/messages", draft, 401)
			guest.does(pods[0], "GET", "/messages", "", 200)
			ann.does(pods[0], "POST", "/messages", `{"key":"k","content":"x"}`, 201)
			c := guest.hello(pods[1], "")
			c.until(`"type":"welcome"`)
			c.write(text(`{"type":"post","key":"k2","name":"Gus","email":"gus@example.org","content":"x"}`))
			c.until(`"code":"unauthorised"`, `"key":"k2"`)
		})
	})
	t.Run("none", func(t *testing.T) {
		onStages(t, server.Config{Guests: "none", Registration: "open"}, func(t *testing.T, pods []*pod) {
			guest, ann := someone{t: t}, enrol(t, pods[0], "ann")
			for _, path := range []string{"/messages", "/topics", "/openapi.yaml"} {
				guest.does(pods[1], "GET", path, "", 401)
				ann.does(pods[1], "GET", path, "", 200)
			}
			guest.does(pods[1], "POST", "/messages", draft, 401)
			c := guest.hello(pods[1], "")
			c.until(`"code":"unauthorised"`)
			c.until("close 4004")
			ann.hello(pods[1], "").until(`"type":"welcome"`)
			for _, path := range []string{"/", "/healthz", "/readyz"} {
				if resp := call(t, "GET", pods[1].url+path, ""); resp.StatusCode != 200 {
					t.Errorf("%s: %s", path, resp.Status)
				}
			}
		})
	})
	t.Run("closed", func(t *testing.T) {
		onStages(t, server.Config{Guests: "post", Registration: "closed"}, func(t *testing.T, pods []*pod) {
			someone{t: t}.does(pods[0], "POST", "/accounts", `{"email":"a@example.org","name":"a","password":"correct horse"}`, 403)
		})
	})
}

func TestSignInRate(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{SignInRate: 3}})
	guest := someone{t: t}
	for range 3 {
		guest.does(p, "POST", "/session", `{"email":"a@example.org","password":"a wrong password"}`, 401)
	}
	guest.does(p, "POST", "/session", `{"email":"a@example.org","password":"a wrong password"}`, 429)
	guest.does(p, "POST", "/accounts", `{"email":"a@example.org","name":"a","password":"correct horse"}`, 429)
}

func TestAddressIsLocked(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, guest := enrol(t, pods[0], "ann"), someone{t: t}
		for _, mail := range []string{"ann@example.org", "nobody@example.org"} {
			for i := range people.MaxWrong {
				guest.does(pods[i%2], "POST", "/session", fmt.Sprintf(`{"email":%q,"password":"a wrong password"}`, mail), 401)
			}
			resp := call(t, "POST", pods[0].url+"/api/v1/session", fmt.Sprintf(`{"email":%q,"password":"correct horse"}`, mail), asJSON)
			if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %s, Retry-After %q", mail, resp.Status, resp.Header.Get("Retry-After"))
			}
		}
		ann.does(pods[1], "GET", "/session", "", 200)
	})
}

// Who is signed in posts as the account; its address is for it alone.
func TestPostsOfAccounts(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		guest := someone{t: t}
		guest.does(there, "POST", "/messages", `{"key":"before","name":"Somebody","email":"ann@example.org","content":"not yet hers"}`, 201)
		ann := enrol(t, here, "ann")
		c := ann.hello(there, "")
		welcome := c.until(`"type":"welcome"`)
		if !strings.Contains(welcome, fmt.Sprintf(`"you":{"account":%q,"email":"ann@example.org","name":"ann"}`, ann.account)) || !strings.Contains(welcome, `"features":["people","rooms","conversation"]`) {
			t.Errorf("welcome %s", welcome)
		}
		c.until(`"type":"rooms","rooms":[]`)
		verified := fmt.Sprintf(`"account":%q,"verified":true`, ann.account)

		c.write(text(`{"type":"post","key":"k1","topic":"tea","content":"over a socket"}`))
		c.until(`"type":"messages"`, `"key":"k1"`, `"name":"ann","email":"ann@example.org"`, verified)
		got := ann.does(here, "POST", "/messages", `{"key":"k2","topic":"tea","name":"Somebody","email":"ANN@example.org","content":"over HTTP"}`, 201)
		if !strings.Contains(got, `"name":"ann","email":"ann@example.org"`) || !strings.Contains(got, verified) {
			t.Errorf("posted %s", got)
		}
		ann.does(here, "POST", "/messages", `{"key":"k3","topic":"tea","email":"bob@example.org","content":"as another"}`, 400)
		c.write(text(`{"type":"post","key":"k4","topic":"tea","email":"bob@example.org","content":"as another"}`))
		c.until(`"code":"bad_message"`, `"key":"k4"`)

		stolen := `{"key":"k5","name":"ann","email":"Ann@EXAMPLE.org","content":"stolen"}`
		guest.does(here, "POST", "/messages", stolen, 401)
		soon(t, "the address is hers on every pod", func() bool {
			return call(t, "POST", there.url+"/api/v1/messages", stolen, asJSON).StatusCode == 401
		})
		if got := guest.does(there, "GET", "/messages?topic=tea", "", 200); strings.Count(got, verified) != 2 {
			t.Errorf("history %s", got)
		}
		ann.does(here, "PATCH", "/account", `{"name":"Anna","current_password":"correct horse"}`, 200)
		n := 0
		soon(t, "the new name holds for posts on sockets", func() bool {
			n++
			c.write(text(fmt.Sprintf(`{"type":"post","key":"n%d","topic":"names","content":"x"}`, n)))
			return strings.Contains(c.until(fmt.Sprintf(`"key":"n%d","topic"`, n)), `"name":"Anna"`)
		})
		if got := guest.does(there, "GET", "/messages?topic=tea", "", 200); strings.Contains(got, "Anna") {
			t.Errorf("a new name changed what was said before: %s", got)
		}
	})
}

func TestTokensEnd(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		signIn := func(password string) someone {
			t.Helper()
			in := someone{t: t}.does(here, "POST", "/session", fmt.Sprintf(`{"email":"ann@example.org","password":%q}`, password), 200)
			var got struct{ Token string }
			if err := json.Unmarshal([]byte(in), &got); err != nil {
				t.Fatal(err)
			}
			return someone{t: t, token: got.Token}
		}
		ann := enrol(t, here, "ann")
		one, two := signIn(secret), signIn(secret)
		sockets := map[string]*rawConn{}
		for name, who := range map[string]someone{"ann": ann, "one": one, "two": two} {
			sockets[name] = who.hello(there, "")
			sockets[name].until(`"type":"rooms"`)
		}
		one.does(here, "DELETE", "/session", "", 204)
		sockets["one"].until("close 4004")
		ann.does(here, "PATCH", "/account", `{"password":"another password","current_password":"correct horse"}`, 200)
		sockets["two"].until("close 4004")
		ann.does(here, "DELETE", "/account", `{"current_password":"another password"}`, 204)
		sockets["ann"].until("close 4004")
		c := ann.hello(there, "")
		c.until(`"type":"error"`, `"code":"unauthorised"`)
		c.until("close 4004")
	})
}

func TestRooms(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		guest := someone{t: t}
		ann, bob, eve := enrol(t, here, "ann"), enrol(t, here, "bob"), enrol(t, here, "eve")
		var room struct {
			Room, Name, Creator, Created string
			Count                        int
			Members                      []struct{ Account, Email, Name string }
		}
		read := func(body string) {
			t.Helper()
			if err := json.Unmarshal([]byte(body), &room); err != nil {
				t.Fatal(err)
			}
		}
		make := `{"key":"k","name":"den","members":["bob@example.org"]}`
		guest.does(here, "POST", "/rooms", make, 401)
		read(ann.does(here, "POST", "/rooms", make, 201))
		if len(room.Room) != 17 || room.Name != "den" || room.Creator != ann.account || room.Count != 2 || len(room.Members) != 2 || room.Members[0].Account != ann.account {
			t.Errorf("%+v", room)
		}
		id := room.Room
		read(ann.does(there, "POST", "/rooms", make, 200))
		if room.Room != id {
			t.Errorf("the same key made %s", room.Room)
		}
		if got := ann.does(here, "POST", "/rooms", `{"key":"k2","name":"x","members":["X@example.org","bob@example.org"]}`, 400); !strings.Contains(got, `"unknown":["X@example.org"]`) {
			t.Errorf("unknown: %s", got)
		}
		// What is no address is told in an answer that can be read.
		if got := ann.does(here, "PUT", "/rooms/"+id+"/members/%FF", "", 400); !strings.Contains(got, `"code":"bad_message"`) {
			t.Errorf("no UTF-8: %s", got)
		}
		path := "/rooms/" + id
		member := func(who someone) string { return path + "/members/" + url.PathEscape(who.mail) }
		for _, p := range pods {
			if got := bob.does(p, "GET", "/rooms", "", 200); !strings.Contains(got, id) || strings.Contains(got, "members") {
				t.Errorf("rooms %s", got)
			}
			bob.does(p, "GET", path, "", 200)
			bob.does(p, "PUT", member(eve), "", 403)
			bob.does(p, "DELETE", member(ann), "", 403)
			bob.does(p, "PATCH", path, `{"name":"x"}`, 403)
			bob.does(p, "DELETE", path, "", 403)
			ann.does(p, "PUT", path+"/members/nobody%40example.org", "", 400)
			ann.does(p, "DELETE", path+"/members/nobody%40example.org", "", 204)
			guest.does(p, "GET", "/rooms", "", 401)
			guest.does(p, "GET", path, "", 401)
			// To a stranger it is as one that never was.
			for _, call := range []struct{ method, path, body string }{
				{"GET", path, ""},
				{"PUT", member(eve), ""},
				{"DELETE", member(eve), ""},
				{"DELETE", member(ann), ""},
				{"PATCH", path, `{"name":"x"}`},
				{"PATCH", path, `{"creator":"nonsense"}`},
				{"DELETE", path, ""},
				{"GET", "/messages?topic=" + id, ""},
				{"POST", "/messages", `{"key":"k","topic":"` + id + `","content":"x"}`},
			} {
				never := "~" + strings.Repeat("a", 16)
				one := eve.does(p, call.method, call.path, call.body, 404)
				other := eve.does(p, call.method, strings.ReplaceAll(call.path, id, never), strings.ReplaceAll(call.body, id, never), 404)
				if one != other {
					t.Errorf("%s %s tells %s of a room, and %s of none", call.method, call.path, one, other)
				}
			}
			guest.does(p, "GET", "/messages?topic="+id, "", 404)
			guest.does(p, "POST", "/messages", `{"key":"k","topic":"`+id+`","name":"Gus","email":"gus@example.org","content":"x"}`, 404)
		}
		ann.does(here, "PUT", member(eve), "", 204)
		ann.does(here, "PUT", member(eve), "", 204)
		eve.does(there, "DELETE", member(eve), "", 204)
		eve.does(there, "DELETE", member(eve), "", 404)
		ann.does(here, "PATCH", path, `{"creator":"`+eve.account+`"}`, 400)
		read(ann.does(here, "PATCH", path, `{"name":"new","creator":"`+bob.account+`"}`, 200))
		if room.Name != "new" || room.Creator != bob.account {
			t.Errorf("%+v", room)
		}
		ann.does(here, "DELETE", path, "", 403)
		bob.does(there, "DELETE", path, "", 204)
		ann.does(here, "GET", path, "", 404)
	})
}

// What is said in a room reaches its members, on sockets that want it, and
// nobody else, by no road.
func TestRoomMessages(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		guest := someone{t: t}
		ann, bob, eve := enrol(t, here, "ann"), enrol(t, here, "bob"), enrol(t, here, "eve")
		id := roomOf(t, here, ann, bob)

		member, stranger, outside := bob.hello(there, `,"topics":["*"]`), eve.hello(there, `,"topics":["*"]`), guest.hello(there, "")
		member.until(`"type":"rooms"`, id, `"name":"den"`, `"count":2`)
		stranger.until(`"type":"rooms","rooms":[]`)
		outside.until(`"type":"welcome"`)
		named := bob.hello(there, `,"topics":["`+id+`"]`)
		named.until(`"type":"rooms"`)

		ann.does(here, "POST", "/messages", `{"key":"k1","topic":"`+id+`","content":"secret one"}`, 201)
		ann.does(here, "POST", "/messages", `{"key":"k2","topic":"tea","content":"public"}`, 201)
		member.until(`secret one`)
		member.until(`"key":"k2"`)
		named.until(`secret one`)
		for name, c := range map[string]*rawConn{"stranger": stranger, "guest": outside} {
			if got := c.until(`"key":"k2"`); strings.Contains(got, "secret") {
				t.Errorf("%s: %s", name, got)
			}
		}
		for _, p := range pods {
			if got := bob.does(p, "GET", "/messages", "", 200); !strings.Contains(got, "secret one") {
				t.Errorf("a member's history: %s", got)
			}
			if got := bob.does(p, "GET", "/topics", "", 200); !strings.Contains(got, id) || !strings.Contains(got, `"room":"den","messages":1`) {
				t.Errorf("a member's topics: %s", got)
			}
			for _, who := range []someone{eve, guest} {
				for _, path := range []string{"/messages", "/topics"} {
					if got := who.does(p, "GET", path, "", 200); strings.Contains(got, "secret") || strings.Contains(got, "~") {
						t.Errorf("%s: %s", path, got)
					}
				}
			}
		}
		// Rooms that are not there for a reader refuse a hello and a subscribe.
		for _, who := range []someone{eve, guest} {
			c := who.hello(there, `,"topics":["tea","`+id+`","~nonsense"]`)
			got := c.until(`"code":"not_found"`)
			if !strings.Contains(got, `"topics":["~nonsense","`+id+`"]`) && !strings.Contains(got, `"topics":["`+id+`","~nonsense"]`) {
				t.Errorf("refused: %s", got)
			}
			more := ""
			if who.token != "" {
				more = fmt.Sprintf(`,"token":%q`, who.token)
			}
			c.write(text(`{"type":"hello","topics":["tea"]` + more + `}`))
			c.until(`"type":"welcome"`)
			c.write(text(`{"type":"subscribe","topics":["` + id + `"]}`))
			c.until(`"code":"not_found"`, id)
			c.write(text(`{"type":"history","ref":"r","topic":"` + id + `"}`))
			c.until(`"code":"not_found"`, `"ref":"r"`)
			c.write(text(`{"type":"post","key":"t","topic":"` + id + `","name":"Gus","content":"x"` + map[bool]string{true: `,"email":"gus@example.org"`}[who.token == ""] + `}`))
			c.until(`"code":"not_found"`, `"key":"t"`)
			ann.does(here, "POST", "/messages", `{"key":"k3`+who.account+`","topic":"tea","content":"still here"}`, 201)
			c.until("still here")
		}
		// Removal, and coming back.
		ann.does(here, "DELETE", "/rooms/"+id+"/members/bob%40example.org", "", 204)
		ann.does(here, "POST", "/messages", `{"key":"k4","topic":"`+id+`","content":"secret two"}`, 201)
		ann.does(here, "POST", "/messages", `{"key":"k5","topic":"tea","content":"after"}`, 201)
		seen := ""
		for !strings.Contains(seen, "after") {
			got := member.next()
			seen += got
		}
		if strings.Contains(seen, "secret two") {
			t.Errorf("the removed got %s", seen)
		}
		member.until(`"type":"rooms","rooms":[]`)
		ann.does(here, "PUT", "/rooms/"+id+"/members/bob%40example.org", "", 204)
		member.until(`"type":"rooms"`, id)
		n := 0
		soon(t, "who comes back hears the room again, on the socket that named it", func() bool {
			n++
			ann.does(here, "POST", "/messages", fmt.Sprintf(`{"key":"b%d","topic":"%s","content":"back %d"}`, n, id, n), 201)
			ann.does(here, "POST", "/messages", fmt.Sprintf(`{"key":"n%d","topic":"tea","content":"next"}`, n), 201)
			return strings.Contains(member.until(fmt.Sprintf(`"key":"n%d"`, n)), "") && strings.Contains(named.until("back"), "back")
		})
		ann.does(here, "DELETE", "/rooms/"+id, "", 204)
		named.until(`"type":"rooms","rooms":[]`)
		for _, p := range pods {
			soon(t, "nothing of a deleted room is given", func() bool {
				return !strings.Contains(ann.does(p, "GET", "/messages", "", 200), "secret")
			})
		}
	})
}

// roomOf makes a room called den.
func roomOf(t *testing.T, p *pod, by someone, others ...someone) string {
	t.Helper()
	mails := []string{}
	for _, o := range others {
		mails = append(mails, o.mail)
	}
	members, _ := json.Marshal(mails)
	got := by.does(p, "POST", "/rooms", fmt.Sprintf(`{"key":"den-%s","name":"den","members":%s}`, by.account, members), 201)
	var room struct{ Room string }
	if err := json.Unmarshal([]byte(got), &room); err != nil {
		t.Fatal(err)
	}
	return room.Room
}

func TestSavedFilters(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, guest := enrol(t, pods[0], "ann"), someone{t: t}
		guest.does(pods[0], "GET", "/filters", "", 401)
		ann.does(pods[0], "PUT", "/filters/tea%20%2F%20time", `{"filter":"topic:tea"}`, 200)
		ann.does(pods[0], "PUT", "/filters/a", `{"filter":"\"x\""}`, 200)
		ann.does(pods[0], "PUT", "/filters/b", `{}`, 400)
		if got := ann.does(pods[1], "GET", "/filters", "", 200); got != `{"filters":[{"name":"a","filter":"\"x\""},{"name":"tea / time","filter":"topic:tea"}]}` {
			t.Errorf("filters %s", got)
		}
		ann.does(pods[1], "DELETE", "/filters/a", "", 204)
		ann.does(pods[0], "DELETE", "/filters/a", "", 404)
	})
}

// One account with three tabs on two pods is one user.
func TestPresenceCountsUsers(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		ann, bob, guest := enrol(t, pods[0], "ann"), enrol(t, pods[0], "bob"), someone{t: t}
		var tabs []*rawConn
		for _, p := range []*pod{pods[0], pods[1], pods[1]} {
			tabs = append(tabs, ann.hello(p, ""))
		}
		one := bob.hello(pods[0], "")
		watch := guest.hello(pods[1], "")
		watch.until(`"online":5,"guests":1,"users":2`)
		tabs[0].Close()
		watch.until(`"online":4,"guests":1,"users":2`)
		one.Close()
		watch.until(`"online":3,"guests":1,"users":1`)
		tabs[1].Close()
		tabs[2].Close()
		watch.until(`"online":1,"guests":1,"users":0`)
	})
}
