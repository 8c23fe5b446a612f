package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/live"
	"chatapp/chat/internal/localstore"
	"chatapp/chat/internal/server"
)

// origins is as --allow-origin gives them.
func origins(t testing.TB, list string) server.Origins {
	t.Helper()
	o, err := server.ParseOrigins(list)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

type (
	message struct{ ID, Key, Topic, Name, Email, Time, Content string }
	page    struct {
		Messages []message
		More     bool
	}
)

func TestPostOverHTTP(t *testing.T) {
	p := startPod(t, podOptions{})
	url := p.url + "/api/v1/messages"
	first := call(t, "POST", url, draftJSON("k1", " tea ", "hello"), asJSON)
	m := decode[message](t, first)
	if first.StatusCode != http.StatusCreated || m.Key != "k1" || m.Topic != "tea" || m.Name != "Ann" || m.Email != "ann@example.org" || m.Content != "hello" {
		t.Errorf("posted: %s %+v", first.Status, m)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(m.Time) {
		t.Errorf("time %q is not RFC 3339 in UTC with milliseconds", m.Time)
	}
	again := call(t, "POST", url, draftJSON("k1", "tea", "other words"), "Content-Type: application/json; charset=utf-8")
	if same := decode[message](t, again); again.StatusCode != http.StatusOK || same != m {
		t.Errorf("posted again: %s %+v; want 200 and %+v", again.Status, same, m)
	}
	if got := first.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q; want no-store", got)
	}

	for name, c := range map[string]struct {
		body, contentType string
		status            int
		code, detail      string
	}{
		"no content type":         {draftJSON("k", "tea", "x"), "", 400, "bad_frame", "content type: "},
		"a form":                  {"key=k", "application/x-www-form-urlencoded", 400, "bad_frame", "content type: "},
		"text":                    {draftJSON("k", "tea", "x"), "text/plain", 400, "bad_frame", "content type: "},
		"broken content type":     {draftJSON("k", "tea", "x"), "application/json; =", 400, "bad_frame", "content type: "},
		"nothing":                 {"", "application/json", 400, "bad_frame", "post: "},
		"not JSON":                {"hello", "application/json", 400, "bad_frame", "post: "},
		"a list":                  {"[]", "application/json", 400, "bad_frame", "post: "},
		"a name twice":            {`{"key":"a","key":"b"}`, "application/json", 400, "bad_frame", "post: "},
		"bad UTF-8":               {`{"key":"` + "\xff" + `"}`, "application/json", 400, "bad_frame", "post: "},
		"content a number":        {`{"key":"k","name":"Ann","email":"ann@example.org","content":5}`, "application/json", 400, "bad_frame", "post: "},
		"no key":                  {draftJSON("", "tea", "x"), "application/json", 400, "bad_message", "key: "},
		"blank topic":             {draftJSON("k", " ", "x"), "application/json", 400, "bad_message", "topic: "},
		"blank content":           {draftJSON("k", "tea", " \n"), "application/json", 400, "bad_message", "content: "},
		"content of 4,001":        {draftJSON("k", "tea", strings.Repeat("é", 4001)), "application/json", 400, "bad_message", "content: "},
		"at the limit of a body":  {draftJSON("k", "tea", "x") + strings.Repeat(" ", 64<<10-len(draftJSON("k", "tea", "x"))), "application/json", 201, "", ""},
		"over the limit by one":   {strings.Repeat(" ", 64<<10+1), "application/json", 413, "too_large", "body: "},
		"content of 4,000 astral": {draftJSON("k2", "tea", strings.Repeat("🙂", 4000)), "application/json", 201, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if c.contentType != "" {
				headers = append(headers, "Content-Type: "+c.contentType)
			}
			resp := call(t, "POST", url, c.body, headers...)
			if c.code == "" {
				if resp.StatusCode != c.status {
					t.Errorf("answered %s; want %d", resp.Status, c.status)
				}
				return
			}
			if detail := expectProblem(t, resp, c.status, c.code); !strings.HasPrefix(detail, c.detail) {
				t.Errorf("detail %q; want one that begins with %q", detail, c.detail)
			}
		})
	}
}

func TestHistoryOverHTTP(t *testing.T) {
	p := startPod(t, podOptions{})
	var ids []string
	for i := range 7 {
		topic := []string{"tea", "cake", "tea & <b>/ü"}[i%3]
		resp := call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("k", i), topic, fmt.Sprint(i)), asJSON)
		ids = append(ids, decode[message](t, resp).ID)
	}
	for query, c := range map[string]struct {
		want string // contents
		more bool
	}{
		"":                         {"0123456", false},
		"?limit=200":               {"0123456", false},
		"?limit=7":                 {"0123456", false},
		"?limit=6":                 {"123456", true},
		"?limit=1":                 {"6", true},
		"?topic=tea":               {"036", false},
		"?topic=%20tea%20":         {"036", false},
		"?topic=tea&limit=2":       {"36", true},
		"?topic=tea+%26+%3Cb%3E/ü": {"25", false},
		"?topic=nobody":            {"", false},
		"?before=" + ids[3]:        {"012", false},
		"?before=" + ids[0]:        {"", false},
		"?before=" + ids[6] + "&topic=tea&limit=1": {"3", true},
		"?before=ffffffffffffffffffffffff&limit=2": {"56", true},
		"?unknown=parameter&limit=2":               {"56", true},
	} {
		resp := call(t, "GET", p.url+"/api/v1/messages"+query, "")
		got := decode[page](t, resp)
		contents := ""
		for _, m := range got.Messages {
			contents += m.Content
		}
		if resp.StatusCode != 200 || contents != c.want || got.More != c.more || got.Messages == nil {
			t.Errorf("%s: %s %q more=%v; want %q more=%v", query, resp.Status, contents, got.More, c.want, c.more)
		}
	}
	for query, field := range map[string]string{
		"?limit=0": "limit: ", "?limit=201": "limit: ", "?limit=-1": "limit: ", "?limit=1.5": "limit: ", "?limit=x": "limit: ", "?limit=": "limit: ",
		"?limit=99999999999999999999": "limit: ", "?limit=%201": "limit: ",
		"?before=soon": "before: ", "?before=" + strings.ToUpper(strings.Repeat("f", 24)): "before: ", "?before=" + ids[0] + "0": "before: ",
		"?topic=%20": "topic: ", "?topic=%00": "topic: ", "?topic=*": "topic: ", "?topic=": "topic: ", "?topic=%ff": "topic: ", "?topic=" + strings.Repeat("t", 65): "topic: ",
	} {
		resp := call(t, "GET", p.url+"/api/v1/messages"+query, "")
		if detail := expectProblem(t, resp, 400, "bad_frame"); !strings.HasPrefix(detail, field) {
			t.Errorf("%s: detail %q; want one that begins with %q", query, detail, field)
		}
	}
}

func TestTopicsOverHTTP(t *testing.T) {
	p := startPod(t, podOptions{})
	if got := bodyOf(t, call(t, "GET", p.url+"/api/v1/topics", "")); got != `{"topics":[]}` {
		t.Errorf("no topic yet: %s", got)
	}
	var last message
	for i, topic := range []string{"tea", "cake", "tea"} {
		last = decode[message](t, call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("k", i), topic, "x"), asJSON))
	}
	got := decode[struct {
		Topics []struct {
			Topic, Last string
			Messages    int
		}
	}](t, call(t, "GET", p.url+"/api/v1/topics", ""))
	if len(got.Topics) != 2 || got.Topics[0].Topic != "tea" || got.Topics[0].Messages != 2 || got.Topics[0].Last != last.Time || got.Topics[1].Topic != "cake" {
		t.Errorf("topics %+v; want tea with 2 and %s, then cake", got, last.Time)
	}
}

func TestRateLimitOverHTTP(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{PostRate: 0.001, PostBurst: 3}})
	post := func(key, email string) *http.Response {
		return call(t, "POST", p.url+"/api/v1/messages", strings.Replace(draftJSON(key, "tea", "x"), "ann@example.org", email, 1), asJSON)
	}
	for i := range 3 {
		if resp := post(fmt.Sprint("a", i), fmt.Sprintf("ann%d@example.org", i)); resp.StatusCode != 201 {
			t.Errorf("post %d of the burst: %s", i, resp.Status)
		}
	}
	refused := post("a3", "ann@example.org")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	expectProblem(t, refused, 429, "rate_limited")
	if resp := post("b0", "bob@example.org"); resp.StatusCode != 429 {
		t.Errorf("another address claimed by the same source: %s; want 429", resp.Status)
	}
	if resp := call(t, "GET", p.url+"/api/v1/messages", ""); resp.StatusCode != 200 {
		t.Errorf("reading meanwhile: %s", resp.Status)
	}
}

func TestCrossOriginPosts(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{Origins: origins(t, "https://chat.example.org")}})
	n := 0
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"no browser":                  {nil, 201},
		"own page":                    {[]string{"Sec-Fetch-Site: same-origin", "Origin: " + p.url}, 201},
		"own page, older browser":     {[]string{"Origin: " + p.url}, 201},
		"allowed page":                {[]string{"Sec-Fetch-Site: cross-site", "Origin: https://chat.example.org"}, 201},
		"another page":                {[]string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example.org"}, 403},
		"another page of the site":    {[]string{"Sec-Fetch-Site: same-site", "Origin: https://other.example.org"}, 403},
		"another page, older browser": {[]string{"Origin: https://evil.example.org"}, 403},
		"sandboxed page":              {[]string{"Origin: null"}, 403},
	} {
		n++
		resp := call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("k", n), "tea", "x"), append(c.headers, asJSON)...)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s; want %d", name, resp.Status, c.status)
		}
		if c.status == 403 {
			expectProblem(t, resp, 403, "unauthorised")
		}
	}
	open := startPod(t, podOptions{edge: server.Config{Origins: origins(t, "*")}})
	if resp := call(t, "POST", open.url+"/api/v1/messages", draftJSON("k", "tea", "x"), asJSON, "Origin: https://evil.example.org"); resp.StatusCode != 201 {
		t.Errorf("any origin allowed: %s", resp.Status)
	}
}

func TestLimitOfConnections(t *testing.T) {
	p := startPod(t, podOptions{live: live.Config{MaxConnections: 2}})
	a, b := openRaw(t, p), openRaw(t, p)
	defer b.Close()
	refused := call(t, "GET", p.url+"/ws", "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	expectProblem(t, refused, 503, "unavailable")
	a.Close()
	for range 500 { // the server notices in its own time
		c, resp := dialRaw(t, p, nil)
		c.Close()
		if resp.StatusCode == 101 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a place that became free is not given away")
}

func openLocal(t testing.TB) *localstore.Store {
	t.Helper()
	s, err := localstore.Open(localstore.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestReadyz follows readiness through an outage of the log and a drain, by
// the second.
func TestReadyz(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		local, err := localstore.Open(localstore.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer local.Close()
		store := &awayStore{store: local}
		store.away.Store(true)
		w := assemble(t, store, podOptions{edge: server.Config{ReadyTolerance: 30 * time.Second}, live: live.Config{DrainSettle: 5 * time.Second}})
		defer w.close()
		ready := func(want int, detail string) {
			t.Helper()
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
			if want == 200 {
				if rec.Code != 200 || rec.Body.String() != "ready\n" {
					t.Errorf("readyz is %d %q; want 200", rec.Code, rec.Body)
				}
				return
			}
			if got := expectProblem(t, rec.Result(), want, "unavailable"); !strings.Contains(got, detail) {
				t.Errorf("detail %q; want %q in it", got, detail)
			}
		}
		synctest.Wait()
		ready(503, "has not been reached yet")
		store.away.Store(false)
		time.Sleep(time.Second) // the feed tries again by itself
		ready(200, "")
		store.away.Store(true)
		time.Sleep(28 * time.Second)
		ready(200, "")
		time.Sleep(5 * time.Second) // it answered last up to 2 s before it went away
		ready(503, "has not answered for 3")
		store.away.Store(false)
		time.Sleep(3 * time.Second)
		ready(200, "")

		drained := make(chan struct{})
		go func() { defer close(drained); w.sessions.Drain(context.Background()) }()
		synctest.Wait()
		ready(503, "draining")
		<-drained
		ready(503, "draining")
	})
}

// TestFrameMetricCountsLiveMessagesOnly: acks, welcomes and histories are no
// deliveries.
func TestFrameMetricCountsLiveMessagesOnly(t *testing.T) {
	p := startPod(t, podOptions{})
	conn := openRaw(t, p)
	defer conn.Close()
	conn.write(text(`{"type":"hello","topics":[]}`))
	conn.next()
	conn.write(draftWith("", ""))
	conn.write(text(`{"type":"history","ref":"r1"}`))
	for range 2 {
		conn.next()
	}
	if got := bodyOf(t, call(t, "GET", p.url+"/metrics", "")); !strings.Contains(got, "\nchat_message_frames_total 0\n") {
		t.Error("frames without live messages are counted")
	}
	conn.write(text(`{"type":"subscribe","topics":["tea"]}`))
	conn.next()
	conn.write(draftWith("key", `"k-2"`))
	for range 2 {
		conn.next()
	}
	if got := bodyOf(t, call(t, "GET", p.url+"/metrics", "")); !strings.Contains(got, "\nchat_message_frames_total 1\n") {
		t.Error("the frame with a live message is not counted once")
	}
}
