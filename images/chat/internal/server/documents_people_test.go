package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"chatapp/chat/internal/people"
	"chatapp/chat/internal/server"
)

// TestOpenAPIPeople runs every operation about accounts, rooms and saved
// filters, to every status that the document names for it, but for those that
// any operation may have: 403 (of another origin: TestCrossOriginPosts), 413,
// 500 and 503.
func TestOpenAPIPeople(t *testing.T) {
	doc, router := loadOpenAPI(t)
	p := startPod(t, podOptions{})
	tried := map[string]bool{}
	try := func(who someone, method, path, pattern, body string, bad bool, want int) {
		t.Helper()
		kind := ""
		if body != "" {
			kind = "application/json"
		}
		if got := exchangeAs(t, router, p, who.token, method, "/api/v1"+path, body, kind, bad); got != want {
			t.Errorf("%s %s %.100s: %d; want %d", method, path, body, got, want)
		}
		tried[fmt.Sprint(method, " /api/v1", pattern, " ", want)] = true
	}
	guest, ann, bob, eve := someone{t: t}, enrol(t, p, "ann"), enrol(t, p, "bob"), enrol(t, p, "eve")

	account := func(mail string) string {
		return fmt.Sprintf(`{"email":%q,"name":"N","password":"correct horse"}`, mail)
	}
	try(guest, "POST", "/accounts", "/accounts", account("cid@example.org"), false, 201)
	try(guest, "POST", "/accounts", "/accounts", account("CID@example.org"), false, 409)
	try(guest, "POST", "/accounts", "/accounts", account("cid"), true, 400)
	credentials := `{"email":"eve@example.org","password":"correct horse"}`
	try(guest, "POST", "/session", "/session", credentials, false, 200)
	try(guest, "POST", "/session", "/session", `{"email":"eve@example.org","password":"wrong"}`, false, 401)
	try(guest, "POST", "/session", "/session", `{"email":"eve@example.org"}`, true, 401)
	try(guest, "POST", "/session", "/session", `{"email":"eve","password":"wrong"}`, false, 400)
	try(guest, "GET", "/session", "/session", "", false, 200)
	try(ann, "GET", "/session", "/session", "", false, 200)
	try(someone{t: t, token: "x"}, "GET", "/session", "/session", "", false, 401)
	try(guest, "DELETE", "/session", "/session", "", false, 401)
	change := `{"name":"Anna","current_password":"correct horse"}`
	try(ann, "PATCH", "/account", "/account", change, false, 200)
	try(ann, "PATCH", "/account", "/account", `{"name":"Anna","current_password":"wrong"}`, false, 403)
	try(ann, "PATCH", "/account", "/account", `{"name":"Anna"}`, true, 400)
	try(guest, "PATCH", "/account", "/account", change, false, 401)

	room := `{"key":"k","name":"den","members":["bob@example.org"]}`
	try(ann, "POST", "/rooms", "/rooms", room, false, 201)
	try(ann, "POST", "/rooms", "/rooms", room, false, 200)
	try(ann, "POST", "/rooms", "/rooms", `{"key":"k2","name":"den","members":["nobody@example.org"]}`, false, 400)
	try(guest, "POST", "/rooms", "/rooms", room, false, 401)
	try(ann, "GET", "/rooms", "/rooms", "", false, 200)
	try(guest, "GET", "/rooms", "/rooms", "", false, 401)
	many, _ := json.Marshal(make([]string, people.MaxMembers+1))
	try(ann, "POST", "/rooms", "/rooms", `{"key":"k3","name":"den","members":`+string(many)+`}`, false, 409)
	var mine struct{ Rooms []struct{ Room string } }
	if err := json.Unmarshal([]byte(ann.does(p, "GET", "/rooms", "", 200)), &mine); err != nil || len(mine.Rooms) != 1 {
		t.Fatalf("rooms %v, %v", mine, err)
	}
	one, pattern := "/rooms/"+mine.Rooms[0].Room, "/rooms/{room}"
	for method, body := range map[string]string{"GET": "", "PATCH": `{"name":"new"}`, "DELETE": ""} {
		try(guest, method, one, pattern, body, false, 401)
		try(eve, method, one, pattern, body, false, 404)
		if method != "GET" {
			try(bob, method, one, pattern, body, false, 403)
		}
	}
	try(ann, "GET", one, pattern, "", false, 200)
	try(ann, "PATCH", one, pattern, `{"name":"new"}`, false, 200)
	try(ann, "PATCH", one, pattern, `{"name":3}`, true, 400)
	member, members := one+"/members/eve@example.org", pattern+"/members/{email}"
	for _, method := range []string{"DELETE", "PUT"} {
		try(guest, method, member, members, "", false, 401)
		try(eve, method, member, members, "", false, 404)
		try(bob, method, member, members, "", false, 403)
		try(ann, method, member, members, "", false, 204)
	}
	try(ann, "PUT", one+"/members/nobody@example.org", members, "", false, 400)
	try(ann, "DELETE", one, pattern, "", false, 204)

	filter := `{"filter":"from:ann"}`
	try(ann, "PUT", "/filters/mine", "/filters/{name}", filter, false, 200)
	try(ann, "PUT", "/filters/mine", "/filters/{name}", `{"filter":3}`, true, 400)
	try(guest, "PUT", "/filters/mine", "/filters/{name}", filter, false, 401)
	try(ann, "GET", "/filters", "/filters", "", false, 200)
	try(guest, "GET", "/filters", "/filters", "", false, 401)
	try(ann, "DELETE", "/filters/mine", "/filters/{name}", "", false, 204)
	try(ann, "DELETE", "/filters/mine", "/filters/{name}", "", false, 404)
	try(guest, "DELETE", "/filters/mine", "/filters/{name}", "", false, 401)

	try(ann, "DELETE", "/account", "/account", `{"current_password":"wrong"}`, false, 403)
	try(ann, "DELETE", "/account", "/account", `{}`, true, 400)
	try(guest, "DELETE", "/account", "/account", `{"current_password":"correct horse"}`, false, 401)
	try(ann, "DELETE", "/account", "/account", `{"current_password":"correct horse"}`, false, 204)
	try(bob, "DELETE", "/session", "/session", "", false, 204)
	for range people.MaxWrong - 2 { // two were wrong above
		eve.does(p, "PATCH", "/account", `{"current_password":"wrong"}`, 403)
	}
	try(eve, "PATCH", "/account", "/account", change, false, 429)
	try(eve, "DELETE", "/account", "/account", `{"current_password":"correct horse"}`, false, 429)
	try(guest, "POST", "/session", "/session", credentials, false, 429)

	p = startPod(t, podOptions{edge: server.Config{SignInRate: 0.001, Guests: "post", Registration: "closed"}})
	try(guest, "POST", "/accounts", "/accounts", account("cid@example.org"), false, 403)
	try(guest, "POST", "/accounts", "/accounts", account("cid@example.org"), false, 429)

	elsewhere := map[string]string{
		"PATCH /api/v1/rooms/{room} 409":               "storetest M8",
		"PUT /api/v1/rooms/{room}/members/{email} 409": "storetest M7",
		"PUT /api/v1/filters/{name} 409":               "storetest Filters",
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Tags[0] != "people" && op.Tags[0] != "rooms" {
				continue
			}
			for status := range op.Responses.Map() {
				what := fmt.Sprint(method, " ", path, " ", status)
				if !tried[what] && elsewhere[what] == "" && !strings.Contains("403 413 500 503", status) {
					t.Errorf("%s is in the document, but was not seen", what)
				}
			}
		}
	}
}
