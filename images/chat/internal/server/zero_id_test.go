package server_test

import (
	"strings"
	"testing"

	"chatapp/chat/internal/server"
)

// TestIDOfZeros: an id of zeros is that of a message that never was, and not
// the same as none.
func TestIDOfZeros(t *testing.T) {
	onStages(t, server.Config{}, func(t *testing.T, pods []*pod) {
		zeros := strings.Repeat("0", 24)
		ann := enrol(t, pods[0], "ann")
		ann.does(pods[0], "POST", "/messages", `{"key":"k","topic":"tea","content":"hello"}`, 201)
		ann.does(pods[0], "GET", "/messages?reply_to="+zeros, "", 404)
		ann.does(pods[0], "POST", "/messages", `{"key":"r","topic":"tea","content":"x","reply_to":"`+zeros+`"}`, 404)
		ann.does(pods[0], "PUT", "/messages/"+zeros+"/vote", `{"vote":1}`, 404)
		ann.does(pods[0], "DELETE", "/messages/"+zeros, "", 404)
		for path, want := range map[string]string{
			"/messages?before=" + zeros: `{"messages":[],"more":false}`, "/messages?topic=tea&before=" + zeros: `{"messages":[],"more":false}`,
			"/topics?after=" + zeros: `{"topics":[]}`,
		} {
			if got := ann.does(pods[0], "GET", path, "", 200); got != want {
				t.Errorf("%s: %s; want %s", path, got, want)
			}
		}
		c := ann.hello(pods[1], `,"limit":0`)
		c.until(`"type":"welcome"`)
		for frame, want := range map[string]string{
			`{"type":"history","ref":"r","before":"` + zeros + `"}`:                            `"messages":[],"more":false`,
			`{"type":"history","ref":"r","reply_to":"` + zeros + `"}`:                          `"code":"not_found"`,
			`{"type":"vote","key":"r","id":"` + zeros + `","vote":1}`:                          `"code":"not_found"`,
			`{"type":"post","key":"r","topic":"tea","content":"x","reply_to":"` + zeros + `"}`: `"code":"not_found"`,
		} {
			c.write(text(frame))
			if got := c.until(`:"r"`); !strings.Contains(got, want) {
				t.Errorf("%s: %s; want %s", frame, got, want)
			}
		}
	})
}
