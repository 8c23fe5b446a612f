package server_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

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
