package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/redisstore"
	"chatapp/chat/internal/redistest"
)

// TestPlays runs the scenes of testdata/plays, whose README says how to read
// them, over both stores, with one server and with two.
func TestPlays(t *testing.T) {
	scenes, err := filepath.Glob("testdata/plays/*.txt")
	if err != nil || len(scenes) < 5 {
		t.Fatalf("scenes %v, %v", scenes, err)
	}
	redis := redistest.Start(t)
	redisLog := func(t *testing.T) store {
		s, err := redisstore.Open(redisstore.Options{URL: redis.URL(), Partitions: 3, KeyPrefix: t.Name()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	for _, stage := range []struct {
		name string
		pods func(t *testing.T) []*pod
	}{
		{"embedded", func(t *testing.T) []*pod { return []*pod{startPod(t, podOptions{})} }},
		{"Redis, one pod", func(t *testing.T) []*pod {
			return []*pod{startPod(t, podOptions{store: redisLog(t)})}
		}},
		{"Redis, two pods", func(t *testing.T) []*pod {
			return []*pod{
				startPod(t, podOptions{name: "chat-0", store: redisLog(t)}),
				startPod(t, podOptions{name: "chat-1", store: redisLog(t)}),
			}
		}},
	} {
		for _, scene := range scenes {
			t.Run(stage.name+"/"+strings.TrimSuffix(filepath.Base(scene), ".txt"), func(t *testing.T) {
				t.Parallel()
				script, err := os.ReadFile(scene)
				if err != nil {
					t.Fatal(err)
				}
				newPlay(t, stage.pods(t)).run(string(script))
			})
		}
	}
}

// play is a scene under way.
type play struct {
	t       *testing.T
	pods    []*pod
	clients map[byte]*rawConn
	known   map[string]string // what the names in angle brackets stand for
}

func newPlay(t *testing.T, pods []*pod) *play {
	p := &play{t: t, pods: pods, clients: map[byte]*rawConn{}, known: map[string]string{}}
	t.Cleanup(func() {
		for _, c := range p.clients {
			c.Close()
		}
	})
	return p
}

var line = regexp.MustCompile(`^([a-z])([<>!]) (.+)$`)

// run plays a script. Lines in which one client gets something are gathered
// as long as they follow each other.
func (p *play) run(script string) {
	p.t.Helper()
	type expected struct {
		number int
		text   string
	}
	var (
		who     byte
		waiting []expected
	)
	receive := func() {
		p.t.Helper()
		for len(waiting) > 0 {
			// Presence is waited for where it stands; everything else is the
			// next frame that is not presence.
			presence := strings.Contains(waiting[0].text, `"type":"presence"`)
			got := p.next(who, presence)
			i := slices.IndexFunc(waiting, func(e expected) bool { return kindOf(e.text) == kindOf(got) })
			if i < 0 {
				p.t.Fatalf("line %d: %c gets %s\n, want %s", waiting[0].number, who, got, waiting[0].text)
			}
			if err := p.match(waiting[i].text, got); err != nil {
				if presence {
					continue // of another moment
				}
				p.t.Fatalf("line %d: %c gets %s\n, want %s\n: %v", waiting[i].number, who, got, waiting[i].text, err)
			}
			waiting = slices.Delete(waiting, i, i+1)
		}
	}
	for number, text := range strings.Split(script, "\n") {
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			p.t.Fatalf("line %d cannot be read: %s", number+1, text)
		}
		if m[1][0] != who || m[2] != "<" {
			receive()
		}
		who = m[1][0]
		switch m[2] {
		case "<":
			waiting = append(waiting, expected{number + 1, m[3]})
		case ">":
			// Messages of one millisecond in different partitions come in the
			// order of their ids, whichever was posted first. Scenes are read
			// as if time passed between two lines.
			time.Sleep(2 * time.Millisecond)
			p.client(who).write(frame(fin|opText, p.fill(m[3])))
		case "!":
			p.leave(who, m[3])
		}
	}
	receive()
	for who, c := range p.clients { // nothing more was said
		c.write(frame(fin|opPing, "curtain")) // may come to a socket that is closed
		if got := c.next(); got != "pong curtain" && !ended(got) {
			p.t.Errorf("%c gets more: %s", who, got)
		}
	}
}

// client gives a client's connection, opened at its first line.
func (p *play) client(who byte) *rawConn {
	if p.clients[who] == nil {
		p.clients[who] = openRaw(p.t, p.pods[int(who-'a')%len(p.pods)])
	}
	return p.clients[who]
}

func (p *play) leave(who byte, how string) {
	p.t.Helper()
	switch how {
	case "leaves":
		p.client(who).Close()
		delete(p.clients, who)
	case "closes":
		p.client(who).write(frame(fin|opClose, closing(1000, "")))
	default:
		p.t.Fatalf("%c %s: not a stage direction", who, how)
	}
}

// next is the next presence frame, or the next frame that is none, as JSON or
// "close 1000".
func (p *play) next(who byte, presence bool) string {
	p.t.Helper()
	c := p.client(who)
	if !presence {
		return strings.TrimPrefix(c.next(), "text ")
	}
	for {
		got, err := c.read()
		if err != nil {
			p.t.Fatal(err)
		}
		if !strings.HasPrefix(got, "ping ") {
			return strings.TrimPrefix(got, "text ")
		}
	}
}

func kindOf(text string) string {
	var f struct{ Type string }
	if json.Unmarshal([]byte(text), &f) != nil {
		kind, _, _ := strings.Cut(text, " ")
		return kind
	}
	return f.Type
}

var name = regexp.MustCompile(`"<([a-z0-9]+)>"`)

// fill puts what is known in place of the names in a frame to be sent.
func (p *play) fill(text string) string {
	return name.ReplaceAllStringFunc(text, func(quoted string) string {
		value, known := p.known[quoted[2:len(quoted)-2]]
		if !known {
			p.t.Fatalf("%s is sent before it is known", quoted)
		}
		return fmt.Sprintf("%q", value)
	})
}

// match compares a frame with what is wanted, and learns the names.
func (p *play) match(want, got string) error {
	if !strings.HasPrefix(want, "{") {
		if d := answers(got, want); d != "" {
			return fmt.Errorf("%s", d)
		}
		return nil
	}
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return err
	}
	return p.same(w, g)
}

func (p *play) same(want, got any) error {
	switch want := want.(type) {
	case string:
		text, ok := got.(string)
		if !ok {
			return fmt.Errorf("%v is no string", got)
		}
		if want == "<*>" {
			return nil
		}
		if m := name.FindStringSubmatch(`"` + want + `"`); m != nil {
			if known, ok := p.known[m[1]]; ok && known != text {
				return fmt.Errorf("%s was %q, and is %q", want, known, text)
			}
			p.known[m[1]] = text
			return nil
		}
	case map[string]any:
		object, ok := got.(map[string]any)
		for _, later := range []string{"features", "guests", "users"} { // of Part Two; a play may leave them out
			if _, named := want[later]; !named {
				delete(object, later)
			}
		}
		if !ok || len(object) != len(want) {
			return fmt.Errorf("%v has not the fields of %v", got, want)
		}
		for field, value := range want {
			if err := p.same(value, object[field]); err != nil {
				return fmt.Errorf("%s: %w", field, err)
			}
		}
		return nil
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%v is not %d long", got, len(want))
		}
		for i, value := range want {
			if err := p.same(value, list[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	}
	if want != got {
		return fmt.Errorf("%v is not %v", got, want)
	}
	return nil
}
