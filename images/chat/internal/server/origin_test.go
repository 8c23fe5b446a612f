package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chatapp/chat/internal/server"
)

func TestParseOriginsRefusesWhatNeverMatches(t *testing.T) {
	for _, list := range []string{
		"", " , ", "*", "https://example.org", "http://localhost:5173", "https://*.example.org", "https://*.example.org:8443",
		"HTTPS://Example.org:443", "http://[::1]:8080", "https://a.example, https://b.example", "https://xn--exmple-cua.org",
	} {
		if _, err := server.ParseOrigins(list); err != nil {
			t.Errorf("%q: %v", list, err)
		}
	}
	for _, one := range []string{
		"example.org", "//example.org", "ftp://example.org", "https://", "https://example.org/", "https://example.org/chat", "https://example.org?x",
		"https://example.org#x", "https://ann@example.org", "https://example.org:", "https://example.org:port", "https://exa mple.org", "https://exämple.org",
		"https://*", "https://*.", "https://*example.org", "https://chat.*.org", "https://*.*.org", "https://example.org:*", "*://example.org",
		"https://*.192.0.2.1", "https://*.[::1]", "null", "https:example.org", "https://[::1", "*.example.org",
	} {
		if _, err := server.ParseOrigins("https://fine.example," + one); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", one)) {
			t.Errorf("%q: %v; want an error that names it", one, err)
		}
	}
}

// TestOriginsOfPages asks for each origin on every road: posting, reading,
// preflight and socket agree.
func TestOriginsOfPages(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{Origins: origins(t,
		"https://chat.example.org,https://*.pages.example,https://*.ports.example:8443,http://[0:0::1]:80,https://Big.Example:443")}})
	n := 0
	for origin, want := range map[string]struct{ taken, cors bool }{
		p.url:                               {true, false},
		"https://127.0.0.1":                 {true, false},
		"https://127.0.0.1:9":               {true, false},
		"https://127.0.0.2":                 {false, false},
		"https://chat.example.org":          {true, true},
		"http://chat.example.org":           {false, false},
		"https://chat.example.org:444":      {false, false},
		"https://x.chat.example.org":        {false, false},
		"https://big.example":               {true, true},
		"http://[::1]":                      {true, true},
		"https://a.pages.example":           {true, true},
		"https://a.b.pages.example":         {true, true},
		"https://pages.example":             {false, false},
		"https://evilpages.example":         {false, false},
		"https://.pages.example":            {false, false},
		"https://a.pages.example:8443":      {false, false},
		"http://a.pages.example":            {false, false},
		"https://evil.org:80.pages.example": {false, false},
		"https://evil.org/.pages.example":   {false, false},
		"https://evil.org@a.pages.example":  {false, false},
		"https://a.ports.example:8443":      {true, true},
		"https://a.ports.example":           {false, false},
		"null":                              {false, false},
		"file://":                           {false, false},
	} {
		n++
		t.Run(origin, func(t *testing.T) {
			said := ""
			if want.cors {
				said = origin
			}
			check := func(road string, resp *http.Response, status int) {
				t.Helper()
				if resp.StatusCode != status {
					t.Errorf("%s: %s; want %d", road, resp.Status, status)
				}
				if got := resp.Header.Get("Access-Control-Allow-Origin"); got != said {
					t.Errorf("%s: Access-Control-Allow-Origin %q; want %q", road, got, said)
				}
				if !slices.Contains(resp.Header.Values("Vary"), "Origin") {
					t.Errorf("%s: Vary %q", road, resp.Header.Values("Vary"))
				}
			}
			status := func(fine int) int {
				if want.taken {
					return fine
				}
				return 403
			}
			post := call(t, "POST", p.url+"/api/v1/messages", draftJSON(fmt.Sprint("k", n), "tea", "x"), asJSON, "Origin: "+origin)
			check("post", post, status(201))
			if !want.taken {
				expectProblem(t, post, 403, "unauthorised")
			}
			check("read", call(t, "GET", p.url+"/api/v1/messages", "", "Origin: "+origin), 200)
			check("page", call(t, "GET", p.url+"/", "", "Origin: "+origin), 200)
			preflight := call(t, "OPTIONS", p.url+"/api/v1/messages", "", "Origin: "+origin,
				"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
			switch {
			case want.cors:
				check("preflight", preflight, 204)
				for name, value := range map[string]string{
					"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type", "Vary": "Access-Control-Request-Headers",
				} {
					if got := strings.Join(preflight.Header.Values(name), ", "); !strings.Contains(got, value) {
						t.Errorf("preflight: %s %q; want %s in it", name, got, value)
					}
				}
			case want.taken:
				check("preflight", preflight, 405) // of one origin with the page: no browser asks
			default:
				check("preflight", preflight, 403)
			}
			conn, resp := dialRaw(t, p, map[string]string{"Origin": origin})
			conn.Close()
			if resp.StatusCode != status(101) {
				t.Errorf("socket: %s", resp.Status)
			}
		})
	}
}

func TestOriginBehindAProxy(t *testing.T) {
	p := startPod(t, podOptions{})
	for i, c := range []struct {
		host, origin string
		status       int
	}{
		{"chat.example:443", "https://chat.example", 201},
		{"chat.example", "https://chat.example:8443", 201},
		{"CHAT.example", "http://chat.EXAMPLE:30222", 201},
		{"[2001:db8::1]:8080", "http://[2001:db8::1]", 201},
		{"chat.example:443", "https://evil.example", 403},
		{"chat.example", "https://chat.example.evil.example", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/api/v1/messages", strings.NewReader(draftJSON(fmt.Sprint("k", i), "tea", "x")))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		req.Header.Set("Origin", c.origin)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("host %s, origin %s: %s; want %d", c.host, c.origin, resp.Status, c.status)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestAnyOrigin(t *testing.T) {
	p := startPod(t, podOptions{edge: server.Config{Origins: origins(t, "*")}})
	for _, origin := range []string{"https://anything.example", "null"} {
		resp := call(t, "GET", p.url+"/api/v1/messages", "", "Origin: "+origin)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: %q; want *", origin, got)
		}
		conn, upgraded := dialRaw(t, p, map[string]string{"Origin": origin})
		conn.Close()
		if upgraded.StatusCode != 101 {
			t.Errorf("socket from %s: %s", origin, upgraded.Status)
		}
	}
}
