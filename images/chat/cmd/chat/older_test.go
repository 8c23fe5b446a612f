package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/chat/internal/redistest"
)

// beforeRooms is the last version of this project that steps over what it does
// not know and knows neither accounts, nor rooms, nor the numbers beside
// messages. Versions before that one read nothing that they do not know: they
// cannot share a log with a later one.
const beforeRooms = "c33fd0e"

// buildBeforeRooms builds that version from the project's history, which a
// shallow clone, or an archive of the files, does not have.
func buildBeforeRooms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) *exec.Cmd {
		return exec.Command("git", append([]string{"-C", "../../../.."}, args...)...)
	}
	if err := git("cat-file", "-e", beforeRooms+"^{commit}").Run(); err != nil {
		t.Skipf("the history of this clone does not reach back to %s: %v", beforeRooms, err)
	}
	archive, err := git("archive", beforeRooms, "images/chat").Output()
	if err != nil {
		t.Fatal(err)
	}
	unpack := exec.Command("tar", "-x", "-C", dir)
	unpack.Stdin = bytes.NewReader(archive)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := filepath.Join(dir, "chat-before-rooms")
	build := exec.Command("go", "build", "-o", path, "./cmd/chat")
	build.Dir = filepath.Join(dir, "images", "chat")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("that version cannot be built here: %v\n%s", err, out)
	}
	return path
}

// member is somebody with an account, who calls over HTTP.
type member struct {
	t       *testing.T
	pod     *pod
	token   string
	account string
}

func (m member) call(method, path, body string, want int) []byte {
	m.t.Helper()
	req, err := http.NewRequest(method, m.pod.url("/api/v1"+path), strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if m.token != "" {
		req.Header.Set("Authorization", "Bearer "+m.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		m.t.Fatalf("%s %s %s: %s %s, %v; want %d", method, path, body, resp.Status, text, err, want)
	}
	return text
}

func register(t *testing.T, p *pod, name string) member {
	t.Helper()
	m := member{t: t, pod: p}
	var got struct {
		Account struct{ Account string }
		Token   string
	}
	body := fmt.Sprintf(`{"email":"%s@example.net","name":%q,"password":"correct horse"}`, name, name)
	if err := json.Unmarshal(m.call("POST", "/accounts", body, 201), &got); err != nil {
		t.Fatal(err)
	}
	m.token, m.account = got.Token, got.Account.Account
	return m
}

// TestBesideTheVersionBeforeRooms has this version and the one before rooms on
// one Redis. Old pods show and list nothing of rooms; what is posted to a room's
// topic on an old pod is nobody's public topic; votes, deletions, replies and
// removals pass old readers by; nobody's socket breaks, and nothing is skipped.
func TestBesideTheVersionBeforeRooms(t *testing.T) {
	t.Parallel()
	binary := buildBeforeRooms(t)
	args := []string{"--redis-url", redistest.Start(t).URL(), "--redis-partitions", "3", "--post-rate", "0"}
	old, next := startBinary(t, binary, args...), startPod(t, args...)
	for _, p := range []*pod{old, next} {
		until(t, "the pod is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	}
	ann, ben := newPerson(t, "ann", old.addr), newPerson(t, "ben", next.addr)
	cat, dan := register(t, next, "cat"), register(t, next, "dan")
	var room struct{ Room string }
	if err := json.Unmarshal(cat.call("POST", "/rooms", `{"key":"r","name":"den","members":["dan@example.net"]}`, 201), &room); err != nil {
		t.Fatal(err)
	}

	const n = 60
	public, private := 0, 0
	var parent struct{ ID string }
	for i := range n {
		switch i % 6 {
		case 0: // a guest on this version
			ben.post(fmt.Sprint("k", i), fmt.Sprint("topic ", i%4), "hello")
			public++
		case 1: // a guest on the old one
			ann.post(fmt.Sprint("k", i), fmt.Sprint("topic ", i%4), "hello")
			public++
		case 2: // an account, in a room
			cat.call("POST", "/messages", fmt.Sprintf(`{"key":"k%d","topic":%q,"content":"secret"}`, i, room.Room), 201)
			private++
		case 3: // an account, in public
			if err := json.Unmarshal(cat.call("POST", "/messages", fmt.Sprintf(`{"key":"k%d","topic":"tea","content":"hello"}`, i), 201), &parent); err != nil {
				t.Fatal(err)
			}
			public++
		case 4: // a reply and votes
			dan.call("POST", "/messages", fmt.Sprintf(`{"key":"k%d","topic":"tea","content":"a reply","reply_to":%q}`, i, parent.ID), 201)
			dan.call("PUT", "/messages/"+parent.ID+"/vote", `{"vote":1}`, 200)
			public++
		case 5: // a deletion, and a removal, which is an event of the room
			cat.call("DELETE", "/messages/"+parent.ID, "", 204)
			cat.call("DELETE", "/rooms/"+room.Room+"/members/dan@example.net", "", 204)
			cat.call("PUT", "/rooms/"+room.Room+"/members/dan@example.net", "", 204)
		}
	}
	ben.settled(t, public)
	ann.settled(t, public)

	// On the old pod, a topic may begin with ~.
	for _, topic := range []string{room.Room, "~nonsense"} {
		for i := range 3 {
			ann.post(fmt.Sprint("stray", i, topic[1:5]), topic, "a stray word")
		}
	}
	ann.post("last", "topic 1", "the last word")
	public++
	ben.settled(t, public)
	until(t, "ann has her stray words acknowledged", func() bool { return ann.get(func() bool { return len(ann.outbox) == 0 }) })

	for _, p := range []*person{ann, ben} {
		p.faultless(t)
		if p.connects != 1 || p.closes != 0 {
			t.Errorf("%s connected %d times and was closed %d times", p.name, p.connects, p.closes)
		}
		for _, m := range p.seen {
			if strings.Contains(m.Content, "secret") || p == ben && strings.HasPrefix(m.Topic, "~") {
				t.Errorf("%s was shown %s of %s", p.name, m.Content, m.Topic)
			}
		}
	}
	if len(ben.seen) != public {
		t.Errorf("ben saw %d messages; want %d", len(ben.seen), public)
	}
	guest, onOld := member{t: t, pod: next}, member{t: t, pod: old}
	for path, asked := range map[string]member{"/messages?limit=200": onOld, "/topics": onOld} {
		if got := string(asked.call("GET", path, "", 200)); strings.Contains(got, "secret") {
			t.Errorf("the old pod shows of a room: %s", got)
		}
	}
	var topics struct {
		Topics []struct {
			Topic    string
			Messages int
		}
	}
	if err := json.Unmarshal(onOld.call("GET", "/topics", "", 200), &topics); err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics.Topics {
		if topic.Topic == room.Room && topic.Messages > 3 { // but what was said there on the old pod itself
			t.Errorf("the old pod lists the room with %d messages", topic.Messages)
		}
	}
	for _, asked := range []member{guest, dan} {
		got := string(asked.call("GET", "/messages?limit=200", "", 200))
		if strings.Contains(got, "stray") || strings.Contains(got, "~nonsense") {
			t.Errorf("this version takes a stray word for a message: %s", got)
		}
		if strings.Contains(got, "secret") != (asked.token != "") {
			t.Errorf("history of %q: %s", asked.token, got)
		}
		if got := string(asked.call("GET", "/topics", "", 200)); strings.Contains(got, "~nonsense") || asked.token == "" && strings.Contains(got, "~") {
			t.Errorf("this version lists a stray topic: %s", got)
		}
	}
	guest.call("GET", "/messages?topic=~nonsense", "", 404)
	var page struct{ Messages []message }
	if err := json.Unmarshal(dan.call("GET", "/messages?limit=200&topic="+room.Room, "", 200), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Messages) != private {
		t.Errorf("the room has %d messages; want %d", len(page.Messages), private)
	}
	// A pod of either version that starts now finds its way through all of it.
	for _, binary := range []string{binary, next.binary} {
		fresh := startBinary(t, binary, args...)
		until(t, "a pod that starts now is ready", func() bool { return fresh.status("/readyz") == http.StatusOK })
		if got := string(member{t: t, pod: fresh}.call("GET", "/messages?limit=200", "", 200)); strings.Contains(got, "secret") || !strings.Contains(got, "the last word") {
			t.Errorf("history of a pod that starts now: %s", got)
		}
	}
}
