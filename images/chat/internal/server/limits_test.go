package server_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// escaped writes every character of s as JSON may write it longest.
func escaped(s string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, unit)
	}
	return quoted(b.String())
}

// TestLargestPostOnBothRoads: a post whose every field is at its limit and
// escaped is taken by socket and over HTTP, with white space around it up to
// the size of a frame; one byte more is refused as too large.
func TestLargestPostOnBothRoads(t *testing.T) {
	p := startPod(t, podOptions{})
	post := func(key string, size int) string {
		body := `{` + escaped("type") + `:` + escaped("post")
		for _, field := range [][2]string{
			{"key", key + strings.Repeat("k", 64-len(key))}, {"topic", strings.Repeat("🙂", 64)}, {"name", strings.Repeat("🙂", 64)},
			{"email", strings.Repeat("🙂", 126) + "@" + strings.Repeat("🙂", 127)}, {"content", strings.Repeat("🙂", 4000)},
		} {
			body += `,` + escaped(field[0]) + `:` + escaped(field[1])
		}
		body += `}`
		return body + strings.Repeat(" ", size-len(body))
	}
	conn := openRaw(t, p)
	defer conn.Close()
	conn.write(text(`{"type":"hello","topics":[],"limit":0}`))
	if d := answers(conn.next(), `{"type":"welcome"}`); d != "" {
		t.Fatal(d)
	}
	conn.write(text(post("socket", maxClientMsg)))
	if d := answers(conn.next(), `{"type":"ack"}`); d != "" {
		t.Error(d)
	}
	conn.write(text(post("socket", maxClientMsg+1)))
	if d := answers(conn.next(), "close 1009"); d != "" {
		t.Error(d)
	}
	sent := call(t, "POST", p.url+"/api/v1/messages", post("http", maxClientMsg), asJSON)
	if m := decode[message](t, sent); sent.StatusCode != 201 || m.Content != strings.Repeat("🙂", 4000) {
		t.Errorf("over HTTP: %s, %d bytes of content", sent.Status, len(m.Content))
	}
	expectProblem(t, call(t, "POST", p.url+"/api/v1/messages", post("http", maxClientMsg+1), asJSON), 413, "too_large")
}
