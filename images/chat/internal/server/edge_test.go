package server_test

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"chatapp/chat/internal/server"
)

// TestQueriesThatCannotBeRead: nobody who asks for less than everything gets
// everything, because of how it was written.
func TestQueriesThatCannotBeRead(t *testing.T) {
	p := startPod(t, podOptions{})
	call(t, "POST", p.url+"/api/v1/messages", draftJSON("k", "tea", "x"), asJSON)
	expectProblem(t, call(t, "POST", p.url+"/api/v1/messages?topic=100%", draftJSON("k2", "tea", "x"), asJSON), 400, "bad_frame")
	for query, status := range map[string]int{
		"":                           200,
		"?":                          200,
		"?topic=tea":                 200,
		"?topic=%20tea%e2%80%8b":     200,
		"?topic=caf%C3%A9&limit=200": 200,
		"?topic=tea&":                200,
		"?colour=red&colour=blue&x":  200,
		"?Topic=*":                   200,
		"?topic=100%":                400,
		"?topic=a;b":                 400,
		"?limit=5;x":                 400,
		"?colour=%zz":                400,
		"?topic":                     400,
		"?topic=":                    400,
		"?topic=*":                   400,
		"?topic=%00":                 400,
		"?topic=%ff":                 400,
		"?topic=a%0ab":               400,
		"?topic=%e2%80%8b":           400,
		"?topic=tea&topic=tea":       400,
		"?topic=tea&topic=cake":      400,
		"?limit=1&limit=1":           400,
		"?before=&topic=tea":         200,
		"?before=x":                  400,
		"?before=000000000000000000000000&before=000000000000000000000000": 400,
		"?limit=":                     400,
		"?limit=0":                    400,
		"?limit=201":                  400,
		"?limit=-1":                   400,
		"?limit=%2B5":                 400,
		"?limit=1.0":                  400,
		"?limit=1e2":                  400,
		"?limit=ten":                  400,
		"?limit=0x10":                 400,
		"?limit=%20%205":              400,
		"?limit=99999999999999999999": 400,
	} {
		resp := call(t, "GET", p.url+"/api/v1/messages"+query, "")
		if status == 400 {
			if expectProblem(t, resp, 400, "bad_frame") == "" {
				t.Error(query)
			}
		} else if resp.StatusCode != status {
			t.Errorf("%s: %s; want %d", query, resp.Status, status)
		}
	}
	for _, query := range []string{"?limit=", "?limit=0", "?limit=1001", "?limit=x", "?after=x", "?after=%", "?limit=1&limit=2", "?after=000000000000000000000000&after=000000000000000000000000"} {
		expectProblem(t, call(t, "GET", p.url+"/api/v1/topics"+query, ""), 400, "bad_frame")
	}
}

func TestPagesOfTopics(t *testing.T) {
	p := startPod(t, podOptions{})
	const topics = 7
	for i := range topics {
		call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("k", i), fmt.Sprint("topic ", i), "x"), asJSON)
	}
	type list struct {
		Topics []struct{ Topic string }
		Next   string
	}
	pages := func(limit int, between func()) (names []string) {
		after := ""
		for {
			got := decode[list](t, call(t, "GET", fmt.Sprintf("%s/api/v1/topics?limit=%d%s", p.url, limit, after), ""))
			if len(got.Topics) > limit || len(got.Topics) == 0 {
				t.Fatalf("a page of %d topics; want 1 to %d", len(got.Topics), limit)
			}
			for _, topic := range got.Topics {
				names = append(names, topic.Topic)
			}
			if got.Next == "" {
				return names
			}
			after = "&after=" + url.QueryEscape(got.Next)
			between()
		}
	}
	want := []string{"topic 6", "topic 5", "topic 4", "topic 3", "topic 2", "topic 1", "topic 0"}
	for _, limit := range []int{1, 2, 3, 6, 7, 8, 1000} {
		if got := pages(limit, func() {}); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q; want %q", limit, got, want)
		}
	}
	// A topic that is spoken in meanwhile is not told twice, and hides no other.
	n := 0
	got := pages(2, func() {
		n++
		call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("again", n), "topic 6", "x"), asJSON)
	})
	if !slices.Equal(got, want) {
		t.Errorf("pages of 2 while topic 6 goes on: %q; want %q", got, want)
	}
	body := bodyOf(t, call(t, "GET", p.url+"/api/v1/topics", ""))
	if strings.Contains(body, "next") {
		t.Errorf("the last page has a next: %s", body)
	}
}

func TestConditionalRequests(t *testing.T) {
	p := startPod(t, podOptions{page: fstest.MapFS{"index.html": {Data: []byte(strings.Repeat("<p>hello</p>", 100))}}})
	for _, path := range []string{"/", "/index.html", "/api/v1/openapi.yaml"} {
		etag := call(t, "GET", p.url+path, "").Header.Get("Etag")
		strong := strings.TrimPrefix(etag, "W/")
		if etag == strong || len(strong) < 10 {
			t.Fatalf("%s: etag %q", path, etag)
		}
		for _, c := range []struct {
			lines  []string
			status int
		}{
			{[]string{etag}, 304},
			{[]string{strong}, 304},
			{[]string{"*"}, 304},
			{[]string{`"other", ` + etag}, 304},
			{[]string{`"other",` + strong + ` , W/"third"`}, 304},
			{[]string{`"a,b", W/"c;d", ` + etag}, 304},
			{[]string{`"other"`, etag}, 304},
			{[]string{`"other"`}, 200},
			{[]string{`W/"other", "third"`}, 200},
			{[]string{strings.Trim(strong, `"`)}, 200},
			{[]string{`"` + etag + `"`}, 200},
			{[]string{"nonsense"}, 200},
			{[]string{""}, 200},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				for _, accept := range []string{"", "gzip"} {
					conn := getLines(t, p, method, path, accept, c.lines)
					if conn.status != c.status || conn.status == 304 && (conn.header["etag"] != etag || conn.body != "" || conn.header["vary"] != "Accept-Encoding") {
						t.Errorf("%s %s, If-None-Match %q: %d %v, %d bytes; want %d", method, path, c.lines, conn.status, conn.header, len(conn.body), c.status)
					}
				}
			}
		}
		if resp := call(t, "GET", p.url+path, "", `If-Match: "other"`); resp.StatusCode != 412 {
			t.Errorf("%s, If-Match of another: %s; want 412", path, resp.Status)
		}
	}
}

type plainAnswer struct {
	status int
	header map[string]string
	body   string
}

// getLines makes a request with several lines of If-None-Match, which
// net/http's client would not send as they are.
func getLines(t *testing.T, p *pod, method, path, accept string, lines []string) plainAnswer {
	t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, p.addr)
	if accept != "" {
		fmt.Fprintf(conn, "Accept-Encoding: %s\r\n", accept)
	}
	for _, line := range lines {
		fmt.Fprintf(conn, "If-None-Match: %s\r\n", line)
	}
	fmt.Fprint(conn, "\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	a := plainAnswer{header: map[string]string{}, body: body}
	for i, line := range strings.Split(head, "\r\n") {
		if i == 0 {
			fmt.Sscanf(line, "HTTP/1.1 %d", &a.status)
			continue
		}
		name, value, _ := strings.Cut(line, ": ")
		a.header[strings.ToLower(name)] = value
	}
	return a
}

// TestOldHTTPIsNotUpgraded: HTTP/1.0 knows no Upgrade (RFC 9110, 7.8).
func TestOldHTTPIsNotUpgraded(t *testing.T) {
	p := startPod(t, podOptions{})
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	all, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(all), " 426 ") || !strings.Contains(string(all), `"bad_frame"`) {
		t.Errorf("answered %.200q, %v; want 426", all, err)
	}
}

func TestMetricsOnThePublicPort(t *testing.T) {
	closed := startPod(t, podOptions{admin: true})
	expectProblem(t, call(t, "GET", closed.url+"/metrics", ""), 404, "not_found")

	open := startPod(t, podOptions{})
	const secret = "zanzibar"
	call(t, "POST", open.url+"/api/v1/messages", strings.NewReplacer("Ann", secret, "ann@example.org", secret+"@example.org").Replace(draftJSON(secret, secret, secret)), asJSON)
	for _, path := range []string{"/" + secret, "/api/v1/messages?topic=" + secret, "/api/v1/topics?after=" + secret} {
		call(t, "GET", open.url+path, "")
		call(t, strings.ToUpper(secret), open.url+path, "")
	}
	if got := bodyOf(t, call(t, "GET", open.url+"/metrics", "")); !strings.Contains(got, "chat_posts_total") || strings.Contains(strings.ToLower(got), secret) || strings.Contains(got, "127.0.0.1") {
		t.Error("the metrics are not there, or name a topic, a person or an address")
	}
}

// TestReadyzTellsTrouble: a server that can be read stays ready, and says what
// it cannot do.
func TestReadyzTellsTrouble(t *testing.T) {
	var trouble []string
	store := &awayStore{store: openLocal(t)}
	p := startPod(t, podOptions{store: store, edge: server.Config{Trouble: func() []string { return trouble }, ReadyTolerance: 1}})
	expectServed(t, p)
	trouble = []string{"posts are refused: the disk is full", "the archive is away"}
	store.away.Store(true)
	if detail := expectProblem(t, call(t, "GET", p.url+"/readyz", ""), 503, "unavailable"); !strings.HasSuffix(detail, "; posts are refused: the disk is full; the archive is away") {
		t.Errorf("not ready: %q", detail)
	}

	p = startPod(t, podOptions{edge: server.Config{Trouble: func() []string { return trouble }}})
	expectServed(t, p)
	if got := bodyOf(t, call(t, "GET", p.url+"/readyz", "")); got != "ready\nposts are refused: the disk is full\nthe archive is away\n" {
		t.Errorf("ready: %q", got)
	}
}
