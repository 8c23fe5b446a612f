package server_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
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

// expectProblem checks that an answer is a problem (RFC 9457) of a status and
// a code, and gives its detail. It reads the body.
func expectProblem(t testing.TB, resp *http.Response, status int, code string) string {
	t.Helper()
	var problem struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q; want application/problem+json", got)
	}
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		t.Errorf("read the problem: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != status || problem.Status != status || problem.Code != code ||
		problem.Type != "about:blank" || problem.Title != http.StatusText(status) || problem.Detail == "" {
		t.Errorf("answered %s with %+v; want %d, %s and what to do", resp.Status, problem, status, code)
	}
	return problem.Detail
}

// call makes a request whose header is given as "Name: value" lines. The
// answer is as it came: not decompressed, redirects not followed.
func call(t testing.TB, method, url, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

const asJSON = "Content-Type: application/json"

func draftJSON(key, topic, content string) string {
	return fmt.Sprintf(`{"key":%q,"topic":%q,"name":"Ann","email":"ann@example.org","content":%q}`, key, topic, content)
}

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decode[T any](t testing.TB, resp *http.Response) (v T) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q; want application/json", got)
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
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

// contentSecurityPolicy is the policy to the letter: a looser one is a
// decision, not an accident.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; manifest-src 'self'; font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func TestHeadersOfEveryAnswer(t *testing.T) {
	p := startPod(t, podOptions{})
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8"},
		{"GET", "/nothing", 404, "application/problem+json"},
		{"GET", "/api/v1/nothing", 404, "application/problem+json"},
		{"GET", "/api/v1/messages", 200, "application/json"},
		{"HEAD", "/api/v1/messages", 200, "application/json"},
		{"GET", "/api/v1/topics", 200, "application/json"},
		{"GET", "/api/v1/openapi.yaml", 200, "application/yaml"},
		{"GET", "/api/v1/asyncapi.yaml", 200, "application/yaml"},
		{"GET", "/healthz", 200, "text/plain; charset=utf-8"},
		{"GET", "/readyz", 200, "text/plain; charset=utf-8"},
		{"GET", "/metrics", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{"GET", "/ws", 426, "application/problem+json"},
		{"GET", "/debug/pprof/", 404, "application/problem+json"},
		{"GET", "/..%2f..%2fetc/passwd", 404, "application/problem+json"},
		{"PUT", "/api/v1/messages", 405, "application/problem+json"},
		{"DELETE", "/api/v1/messages", 405, "application/problem+json"},
		{"POST", "/api/v1/topics", 405, "application/problem+json"},
		{"POST", "/", 405, "application/problem+json"},
		{"OPTIONS", "/api/v1/messages", 405, "application/problem+json"},
		{"POST", "/nothing", 404, "application/problem+json"},
		{"PATCH", "/api/v1/nothing", 404, "application/problem+json"},
		{"POST", "/index.html", 405, "application/problem+json"},
		{"POST", "/ws", 405, "application/problem+json"},
		{"POST", "/readyz", 405, "application/problem+json"},
	} {
		resp := call(t, c.method, p.url+c.path, "")
		if resp.StatusCode != c.status || resp.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s %s: %s %q; want %d %q", c.method, c.path, resp.Status, resp.Header.Get("Content-Type"), c.status, c.contentType)
		}
		allow := resp.Header.Get("Allow")
		if (c.status == 405) != (allow != "") || strings.Contains(allow, "POST") != (c.status == 405 && c.path == "/api/v1/messages") {
			t.Errorf("%s %s: Allow %q", c.method, c.path, allow)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": contentSecurityPolicy,
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
			// Browsers ignore it, and complain, on plain http, as a node port is.
			"Cross-Origin-Opener-Policy":   "",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q; want %q", c.method, c.path, name, got, want)
			}
		}
	}
}

func TestPageFiles(t *testing.T) {
	script := strings.Repeat("console.log('hello');\n", 100)
	p := startPod(t, podOptions{page: fstest.MapFS{
		"index.html":                  {Data: []byte("<!doctype html>" + strings.Repeat("<p>hello</p>", 100))},
		"assets/app-1a2b3c.js":        {Data: []byte(script)},
		"assets/app-1a2b3c.js.br":     {Data: []byte("as brotli")},
		"assets/app-1a2b3c.js.gz":     {Data: []byte("as gzip")},
		"assets/style-9f8e7d.css":     {Data: []byte("p{}")},
		"icon.svg":                    {Data: []byte("<svg/>")},
		"manifest.webmanifest":        {Data: []byte("{}")},
		".gitkeep":                    {Data: nil},
		"assets/picture-000000.weird": {Data: []byte("\x00\x01")},
	}})
	get := func(path string, headers ...string) *http.Response { return call(t, "GET", p.url+path, "", headers...) }

	for _, c := range []struct{ accept, encoding, body string }{
		{"br, gzip, deflate", "br", "as brotli"},
		{"gzip, deflate, br;q=0.9", "br", "as brotli"},
		{"GZIP", "gzip", "as gzip"},
		{"gzip, br;q=0", "gzip", "as gzip"},
		{"gzip; q=0.5, br;q=0.000", "gzip", "as gzip"},
		{"gzip;q=0.0, br; q=0", "", script},
		{"deflate, zstd", "", script},
		{"", "", script},
		{"identity", "", script},
	} {
		resp := get("/assets/app-1a2b3c.js", "Accept-Encoding: "+c.accept)
		if got := bodyOf(t, resp); resp.Header.Get("Content-Encoding") != c.encoding || got != c.body || resp.ContentLength != int64(len(c.body)) {
			t.Errorf("Accept-Encoding %q: encoding %q, %d bytes (%d said); want %q", c.accept, resp.Header.Get("Content-Encoding"), len(got), resp.ContentLength, c.encoding)
		}
		if resp.Header.Get("Vary") != "Accept-Encoding" || resp.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("Accept-Encoding %q: header %v", c.accept, resp.Header)
		}
	}

	index := get("/", "Accept-Encoding: gzip")
	unpacked, err := gzip.NewReader(index.Body)
	if err != nil || index.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("index compressed at the start: %v, %v", index.Header, err)
	}
	if b, err := io.ReadAll(unpacked); err != nil || !strings.HasPrefix(string(b), "<!doctype html><p>") {
		t.Errorf("index is unpacked as %.20q, %v", b, err)
	}

	for path, want := range map[string][2]string{
		"/":                            {"no-cache", "text/html; charset=utf-8"},
		"/icon.svg":                    {"no-cache", "image/svg+xml"},
		"/manifest.webmanifest":        {"no-cache", "application/manifest+json"},
		"/assets/style-9f8e7d.css":     {"public, max-age=31536000, immutable", "text/css; charset=utf-8"},
		"/assets/picture-000000.weird": {"public, max-age=31536000, immutable", "application/octet-stream"},
	} {
		resp := get(path)
		if got := [2]string{resp.Header.Get("Cache-Control"), resp.Header.Get("Content-Type")}; got != want {
			t.Errorf("%s: %q; want %q", path, got, want)
		}
		etag := resp.Header.Get("Etag")
		again := get(path, "If-None-Match: "+etag)
		if again.StatusCode != 304 || bodyOf(t, again) != "" || again.Header.Get("Etag") != etag || again.Header.Get("Cache-Control") != want[0] {
			t.Errorf("%s with its etag: %s %v", path, again.Status, again.Header)
		}
		if other := get(path, `If-None-Match: W/"another"`); other.StatusCode != 200 {
			t.Errorf("%s with another etag: %s", path, other.Status)
		}
		if !strings.HasPrefix(etag, `W/"`) {
			t.Errorf("%s: etag %s is strong, but the bytes depend on the encoding", path, etag)
		}
	}
	for _, path := range []string{"/.gitkeep", "/assets/", "/assets/app-1a2b3c.js.br", "/assets/app-1a2b3c.js.gz", "/nothing"} {
		expectProblem(t, get(path), 404, "not_found")
	}
	// A file of another version: the next try shall find another pod.
	if resp := get("/assets/app-of-another-version.js"); !resp.Close || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a missing asset: close %v, %v", resp.Close, resp.Header)
	}
	head := call(t, "HEAD", p.url+"/assets/style-9f8e7d.css", "")
	if head.StatusCode != 200 || head.ContentLength != 3 {
		t.Errorf("HEAD: %s, length %d", head.Status, head.ContentLength)
	}
}

func TestServerWithoutItsPage(t *testing.T) {
	p := startPod(t, podOptions{page: fstest.MapFS{".gitkeep": {}}})
	if detail := expectProblem(t, call(t, "GET", p.url+"/", ""), 404, "not_found"); !strings.Contains(detail, "make build") {
		t.Errorf("detail %q does not say what to do", detail)
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

// awayStore is a log that can be taken away: every call fails.
type awayStore struct {
	store
	away atomic.Bool
}

var errAway = errors.New("the log is away")

func (s *awayStore) Append(ctx context.Context, part int, events []chat.Event) ([]chat.Appended, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Append(ctx, part, events)
}

func (s *awayStore) State(ctx context.Context, part int) (chat.State, error) {
	if s.away.Load() {
		return chat.State{}, errAway
	}
	return s.store.State(ctx, part)
}

func (s *awayStore) Before(ctx context.Context, part int, topic string, before chat.Pos, max int) ([]chat.Event, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Before(ctx, part, topic, before, max)
}

func (s *awayStore) Topics(ctx context.Context, part int) ([]chat.TopicInfo, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Topics(ctx, part)
}

func (s *awayStore) Vote(ctx context.Context, part int, ballots []chat.Ballot) ([]chat.Change, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.store.Vote(ctx, part, ballots)
}

func (s *awayStore) Delete(ctx context.Context, id chat.ID, topic string) (chat.Change, error) {
	if s.away.Load() {
		return chat.Change{}, errAway
	}
	return s.store.Delete(ctx, id, topic)
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

func TestWhileTheLogIsAway(t *testing.T) {
	store := &awayStore{store: openLocal(t)}
	p := startPod(t, podOptions{store: store, edge: server.Config{ReadyTolerance: time.Hour}})
	expectServed(t, p)
	store.away.Store(true)
	for _, c := range [][3]string{
		{"GET", "/api/v1/messages", ""}, {"GET", "/api/v1/messages?topic=tea", ""}, {"GET", "/api/v1/topics", ""},
		{"POST", "/api/v1/messages", draftJSON("k", "tea", "x")},
	} {
		resp := call(t, c[0], p.url+c[1], c[2], asJSON)
		if resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %s: Retry-After %q", c[0], c[1], resp.Header.Get("Retry-After"))
		}
		expectProblem(t, resp, 503, "unavailable")
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/openapi.yaml"} {
		if resp := call(t, "GET", p.url+path, ""); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	store.away.Store(false)
	expectServed(t, p)
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
