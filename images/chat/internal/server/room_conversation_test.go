package server_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"chatapp/chat/internal/server"
)

// TestConversationInRooms: replies, votes, ephemeral messages, filters and
// deletion work in a room as they do in public, for its members; strangers,
// guests and the removed get nothing of them, by no frame and no call.
func TestConversationInRooms(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		here, there := pods[0], pods[1]
		ann, bob, cat, eve, guest := enrol(t, here, "ann"), enrol(t, here, "bob"), enrol(t, here, "cat"), enrol(t, here, "eve"), someone{t: t}
		room := roomOf(t, here, ann, bob, cat)
		said := func(who someone, p *pod, key, more string) (id string) {
			t.Helper()
			var m struct{ ID string }
			body := fmt.Sprintf(`{"key":%q,"topic":%q,%s}`, key, room, more)
			if err := json.Unmarshal([]byte(who.does(p, "POST", "/messages", body, 201)), &m); err != nil {
				t.Fatal(err)
			}
			return m.ID
		}
		first := said(bob, here, "k0", `"content":"the plan"`)

		member, filtered := bob.hello(there, ""), bob.hello(there, `,"filter":"topic:den #yes"`)
		removed := cat.hello(there, `,"topics":["`+room+`","tea"]`)
		outside := map[string]*rawConn{"a stranger": eve.hello(there, ""), "a guest": guest.hello(there, "")}
		for _, c := range []*rawConn{member, filtered, removed} {
			c.until(`"type":"rooms"`, room)
		}
		outside["a stranger"].until(`"type":"rooms"`)
		outside["a guest"].until(`"type":"welcome"`)

		// One of each kind.
		reply := said(ann, here, "k1", `"content":"I doubt it","reply_to":"`+first+`"`)
		member.until("I doubt it", `"reply_to":"`+first+`"`)
		if got := ann.does(here, "PUT", "/messages/"+first+"/vote", `{"vote":1}`, 200); !strings.Contains(got, `"up":1,"down":0,"vote":1`) {
			t.Errorf("voted: %s", got)
		}
		for _, c := range []*rawConn{member, filtered, removed} { // filters or not
			c.until(`"type":"updates"`, `{"id":"`+first+`","up":1,"down":0,"replies":1}`)
		}
		member.write(text(`{"type":"vote","key":"v","id":"` + reply + `","vote":-1}`))
		member.until(`"type":"ack"`, `"key":"v"`, reply)
		for _, words := range []string{"#no", "#yes"} {
			member.write(text(fmt.Sprintf(`{"type":"post","key":"e","topic":%q,"content":"whisper %s","ephemeral":true}`, room, words)))
		}
		if got := filtered.until(`"type":"ephemeral"`); !strings.Contains(got, "whisper #yes") || strings.Contains(got, "#no") {
			t.Errorf("ephemeral through a filter by the room's name: %s", got)
		}
		removed.until("whisper #yes")
		// The room's creator deletes what others said there; others do not.
		cat.does(there, "DELETE", "/messages/"+first, "", 403)
		eve.does(there, "DELETE", "/messages/"+first, "", 404)
		guest.does(there, "DELETE", "/messages/"+first, "", 401)
		ann.does(here, "DELETE", "/messages/"+first, "", 204)
		ann.does(here, "DELETE", "/messages/"+first, "", 204)
		member.until(`"type":"updates"`, `{"id":"`+first+`","up":1,"down":0,"replies":1,"deleted":true}`)
		bob.does(here, "PUT", "/messages/"+first+"/vote", `{"vote":1}`, 404)
		bob.does(here, "POST", "/messages", fmt.Sprintf(`{"key":"late","topic":%q,"content":"x","reply_to":%q}`, room, first), 404)
		for _, query := range []string{"?topic=" + room, "?filter=" + url.QueryEscape("topic:den"), "?filter=is:reply", "?reply_to=" + first, ""} {
			got := bob.does(there, "GET", "/messages"+query, "", 200)
			if !strings.Contains(got, reply) || strings.Contains(got, "the plan") || strings.Contains(got, "whisper") {
				t.Errorf("%s gives a member %s", query, got)
			}
		}

		// Out of the room, with everything said before.
		ann.does(here, "DELETE", "/rooms/"+room+"/members/"+cat.mail, "", 204)
		removed.until(`"type":"rooms","rooms":[]`)
		after := said(ann, here, "k2", `"content":"without cat"`)
		bob.does(here, "PUT", "/messages/"+after+"/vote", `{"vote":1}`, 200)
		bob.does(here, "PUT", "/messages/"+reply+"/vote", `{"vote":1}`, 200)
		said(bob, here, "k3", `"content":"nor she","reply_to":"`+reply+`"`)
		member.write(text(fmt.Sprintf(`{"type":"post","key":"e","topic":%q,"content":"whisper again","ephemeral":true}`, room)))
		filtered.until(`"type":"updates"`, `"id":"`+reply+`","up":1,"down":0,"replies":1`)
		member.until("whisper again")
		ann.does(here, "POST", "/messages", `{"key":"end","topic":"tea","content":"curtain"}`, 201)
		outside["the removed"] = removed
		for name, c := range outside {
			for got := ""; !strings.Contains(got, "curtain"); {
				if got = c.next(); strings.Contains(got, room) || strings.Contains(got, first) || strings.Contains(got, reply) || strings.Contains(got, after) || strings.Contains(got, "whisper") {
					t.Errorf("%s hears of the room: %s", name, got)
				}
			}
		}
		// By calls and frames, each as of a message that never was.
		never := strings.Repeat("0", 24)
		for name, who := range map[string]someone{"a stranger": eve, "the removed": cat, "a guest": guest} {
			as := map[bool]string{true: `,"name":"Gus","email":"gus@example.org"`}[who.token == ""]
			for _, p := range pods {
				for _, c := range []struct{ method, path, body string }{
					{"PUT", "/messages/ID/vote", `{"vote":1` + as + `}`},
					{"GET", "/messages?reply_to=ID", ""},
					{"POST", "/messages", `{"key":"r","topic":"tea","content":"x","reply_to":"ID"` + as + `}`},
				} {
					want := who.does(p, c.method, strings.ReplaceAll(c.path, "ID", never), strings.ReplaceAll(c.body, "ID", never), 404)
					if got := who.does(p, c.method, strings.ReplaceAll(c.path, "ID", reply), strings.ReplaceAll(c.body, "ID", reply), 404); got != want {
						t.Errorf("%s, %s %s: %s; of none %s", name, c.method, c.path, got, want)
					}
				}
				if who.token != "" {
					who.does(p, "DELETE", "/messages/"+after, "", 404)
				}
				for _, query := range []string{"", "?filter=" + url.QueryEscape("topic:den"), "?filter=is:reply"} {
					if got := who.does(p, "GET", "/messages"+query, "", 200); strings.Contains(got, room) || strings.Contains(got, "without") {
						t.Errorf("%s, %q: %s", name, query, got)
					}
				}
			}
		}
	})
}
