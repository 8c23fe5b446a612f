package wire

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

const golden = "../../../../chat/internal/wire/testdata/server_frames.json"

// frames are the golden frames of the chat; a docker context has none.
func frames(t testing.TB) map[string]json.RawMessage {
	raw, err := os.ReadFile(golden)
	if os.IsNotExist(err) {
		t.Skip("the chat's golden frames are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var items []struct {
		Name  string
		Frame json.RawMessage
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		t.Fatal(err)
	}
	out := map[string]json.RawMessage{}
	for _, item := range items {
		out[item.Name] = item.Frame
	}
	return out
}

func TestGoldenServerFramesDecode(t *testing.T) {
	kinds := map[string]bool{}
	for name, raw := range frames(t) {
		f, err := Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kinds[f.Type] = true
		var body struct {
			Messages []map[string]any
			Cursor   string
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		passedOver := f.Type == "ephemeral" || f.Type == "updates" || f.Type == "rooms"
		if !passedOver && (f.Cursor != body.Cursor || len(f.Messages) != len(body.Messages)) {
			t.Errorf("%s: decoded as %+v", name, f)
		}
		for i, m := range f.Messages {
			want := body.Messages[i]
			if m.ID != want["id"] || m.Key != want["key"] || m.Topic != want["topic"] ||
				m.Content != want["content"] || m.Time != want["time"] {
				t.Errorf("%s: message %d is %+v", name, i, m)
			}
		}
	}
	for _, kind := range []string{KindWelcome, KindMessages, KindAck, KindHistory, KindPresence, KindError, KindBye} {
		if !kinds[kind] {
			t.Errorf("no golden frame of kind %s", kind)
		}
	}
}

const (
	plain = `{"type":"messages","messages":[{"id":"1","key":"k","topic":"a","name":"n","email":"e@x.org","time":"t","content":"hi"}],"cursor":"c"}`
	ack   = `{"type":"ack","key":"k:1","id":"17-1","time":"2026-11-23T10:00:00.000Z"}`
	two   = `{"type":"messages","messages":[{"id":"1","key":"k","topic":"a","name":"n","email":"e","time":"t","content":"hi"},{"id":"2","key":"","topic":"a","name":"n","email":"e","time":"t","content":""}]}`
)

func TestScanTakesThePlainFrames(t *testing.T) {
	for _, raw := range []string{plain, two, ack} {
		if scan([]byte(raw)) == nil {
			t.Errorf("not scanned: %s", raw)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, raw := range []string{
		``, `[]`, `{}`, `{"type":3}`, plain + "x", plain[:len(plain)-1],
		`{"type":"messages","messages":[]}`,
		`{"type":"messages","messages":[{"id":"","key":"k","topic":"a","name":"n","email":"e","time":"t","content":"c"}]}`,
		`{"type":"messages","messages":[{"id":"1"}]}`,
		`{"type":"messages","messages":[null]}`,
		`{"type":"ack","key":"k"}`,
		`{"type":"welcome","server":"s"}`,
	} {
		if f, err := Decode([]byte(raw)); err == nil {
			t.Errorf("%s was decoded as %+v", raw, f)
		}
	}
	if f, err := Decode([]byte(`{"type":"news","messages":7}`)); err != nil || f.Type != "news" {
		t.Errorf("a frame of an unknown kind is to be passed over: %v %v", f, err)
	}
}

// FuzzScan: what the quick way takes, the thorough way takes for the same.
func FuzzScan(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(two))
	f.Add([]byte(ack))
	f.Add([]byte(`{"type":"messages","type":"ack","messages":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		quick := scan(raw)
		if quick == nil {
			return
		}
		thorough, err := decode(raw)
		if err != nil || !reflect.DeepEqual(quick, thorough) {
			t.Fatalf("%s\n quick    %+v\n thorough %+v %v", raw, quick, thorough, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, err := Decode([]byte(plain)); err != nil {
			b.Fatal(err)
		}
	}
}
