package wire

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
)

func golden[T any](t testing.TB, name string) (table []T) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

type clientFrame struct{ Name, Frame, Code string }

func TestClientFrames(t *testing.T) {
	for _, g := range golden[clientFrame](t, "client_frames.json") {
		var code chat.Code
		frame, bad := Decode([]byte(g.Frame))
		if bad != nil {
			code = bad.Err.Code
		} else if post, ok := frame.(Post); ok {
			if _, err := post.Draft.Clean(); err != nil {
				code = chat.AsError(err).Code
			}
		}
		if code != chat.Code(g.Code) {
			t.Errorf("%s: code %q; want %q", g.Name, code, g.Code)
		}
	}
}

func TestErrorsKeepWhatMatchesThemToTheFrame(t *testing.T) {
	for frame, want := range map[string]Unreadable{
		`{"type":"post","key":"k1","content":5}`:                                   {Key: "k1"},
		`{"type":"post","key":"k 1","content":5}`:                                  {Key: "k 1"},
		`{"type":"post","content":"\ud800","key":"k1"}`:                            {Key: "k1"},
		`{"type":"post","name":"\ud83d","key":"k1","content":"\ude00"}`:            {Key: "k1"},
		`{"type":"post","content":"a` + "\n" + `b","key":"k1"}`:                    {Key: "k1"},
		`{"type":"post","content":"\x41","key":"k1"}`:                              {Key: "k1"},
		`{"type":"post","content":nonsense,"key":"k1"}`:                            {Key: "k1"},
		`{"type":"post","content":[{"key":"inner"},"]"],"key":"k1",}`:              {Key: "k1"},
		`{"type":"post","key":"k1","content":"cut sho`:                             {Key: "k1"},
		`{"type":"post","key":"k1"}{"type":"post","key":"k2"}`:                     {Key: "k1"},
		`{"type":"post","key":"k1","key":"k2"}`:                                    {Key: "k1"},
		`{"type":"post","\u006bey":"\u006b1","content":5}`:                         {Key: "k1"},
		`{"key" : "k1" , "type":"shout"}`:                                          {Key: "k1"},
		`{"key":"k1"}`:                                                             {Key: "k1"},
		`{"type":"post","key":"k\ud800","content":5}`:                              {},
		`{"type":"post","key":5,"content":5}`:                                      {},
		`{"type":"post","key":{"key":"k1"},"content":5}`:                           {},
		`{"type":"post","name":"\"key\":\"k1\"","content":5}`:                      {},
		`{"type":"post","name":"key","key2":"k1","content":5}`:                     {},
		`{"type":"post","key":"` + strings.Repeat("k", 257) + `","content":5}`:     {},
		`[{"type":"post","key":"k1"}]`:                                             {},
		`"key":"k1"`:                                                               {},
		``:                                                                         {},
		`{`:                                                                        {},
		`{"key"`:                                                                   {},
		`{"key":`:                                                                  {},
		`{"key":"k1`:                                                               {},
		`{"key":"k1\`:                                                              {},
		`{"type":"history","ref":"r1","limit":"x"}`:                                {Ref: "r1"},
		`{"type":"history","ref":"r1","limit":0}`:                                  {Ref: "r1"},
		`{"type":"history","ref":"r1","topic":"\u0000"}`:                           {Ref: "r1"},
		`{"type":"history","ref":"r1","topic":"*"}`:                                {Ref: "r1"},
		`{"type":"history","ref":"r1","before":"tomorrow"}`:                        {Ref: "r1"},
		`{"type":"history","before":"\udfff","ref":"r1"}`:                          {Ref: "r1"},
		`{"type":"history","ref":"` + strings.Repeat("r", 65) + `"}`:               {Ref: strings.Repeat("r", 65)},
		`{"type":"history","ref":5,"before":"tomorrow"}`:                           {},
		`{"type":"history","ref":"r1","ref":"` + strings.Repeat("\u00e9", 2) + `"`: {Ref: "r1"},
	} {
		_, bad := Decode([]byte(frame))
		if bad == nil || bad.Key != want.Key || bad.Ref != want.Ref {
			t.Errorf("%s: got %+v; want key %q, ref %q", frame, bad, want.Key, want.Ref)
		}
	}
	if _, bad := DecodeDraft([]byte(`{"content":"\ud800","key":"k1"}`)); bad == nil || bad.Key != "k1" {
		t.Errorf("the body of an HTTP post: %+v; want key k1", bad)
	}
}

func TestServerFrames(t *testing.T) {
	hello := chat.Message{
		ID:    chat.ID{Pos: chat.Pos{Ms: 0x0192f3c4a5b6, Seq: 7, Idx: 2}, Part: 3},
		Draft: chat.Draft{Key: "3f0e", Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: "hello\nworld"},
	}
	hostile := chat.Message{
		ID:    chat.ID{Pos: chat.Pos{Ms: 0x0192f3c4a5b6, Seq: 8}, Part: 3},
		Draft: chat.Draft{Key: "x", Topic: "<b>", Name: "\u202eAnn", Email: "ann@example.org", Content: "<img src=x onerror=alert(1)> \u2028 \x00 🙂 \"quoted\" \\"},
	}
	cursor := chat.Cursor{Epoch: 7, Pos: []chat.Pos{{Idx: 0xff}}}.String()
	one, two := AppendMessage(nil, hello), AppendMessage(nil, hostile)
	frames := [][]byte{
		AppendWelcome(nil, Welcome{Server: "chat-0", Time: time.Date(2024, 11, 3, 20, 43, 24, 0, time.UTC), Cursor: cursor}),
		AppendWelcome(nil, Welcome{Server: "chat-0", Time: time.Date(2024, 11, 3, 20, 43, 24, 0, time.UTC), Cursor: cursor, Recovered: true, Messages: [][]byte{one}, More: true}),
		AppendMessages(nil, [][]byte{one, two}, cursor),
		AppendAck(nil, "3f0e", hello.ID),
		AppendHistory(nil, "h1", chat.Page{Messages: []chat.Message{hello}}),
		AppendHistory(nil, `h"2`, chat.Page{}),
		AppendPresence(nil, 3, 2, 1, ""),
		AppendPresence(nil, 0, 0, 0, cursor),
		AppendError(nil, &chat.Error{Code: chat.CodeBadFrame, Message: "type: send hello, subscribe, post or history"}, "", ""),
		AppendError(nil, &chat.Error{Code: chat.CodeRateLimited, Message: "too many posts", RetryAfter: 50 * time.Millisecond}, "3f0e", ""),
		AppendError(nil, chat.Unavailable(nil), "", "h1"),
		AppendBye(nil, "this server is going away", 2500*time.Millisecond),
	}
	checkFrames(t, slices.Concat(frames, conversationFrames(t), peopleFrames()))
}

// conversationFrames are those of replies, votes, ephemeral messages and
// filters.
func conversationFrames(t *testing.T) [][]byte {
	id := chat.ID{Pos: chat.Pos{Ms: 0x0192f3c4a5b6, Seq: 7, Idx: 2}, Part: 3}
	other := chat.ID{Pos: chat.Pos{Ms: 0x0192f3c4a5b6, Seq: 8}, Part: 3}
	hello := chat.Message{
		ID:    id,
		Draft: chat.Draft{Key: "3f0e", Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: "hello\nworld"},
	}
	reply, deleted := hello, hello
	reply.Account = "abcdefghij234567"
	reply.ReplyTo = chat.ID{Pos: chat.Pos{Ms: 0x0192f3c4a5b6, Seq: 6}, Part: 3}
	deleted.Tally = chat.Tally{Replies: 1, Deleted: true}
	cursor := chat.Cursor{Epoch: 7, Pos: []chat.Pos{{Idx: 0xff}}}.String()
	page := chat.Page{More: true, Before: id}
	encoded := Encode(hello.ID, &hello.Draft)
	if got, want := string(encoded.With(deleted.Tally, 0)), string(AppendMessage(nil, deleted)); len(got) != len(want) || strings.Contains(got, "world") {
		t.Errorf("a deleted message, encoded before and after: %s, %s", got, want)
	}
	return [][]byte{
		AppendMessages(nil, [][]byte{AppendMessage(nil, reply)}, cursor),
		AppendWelcome(nil, Welcome{
			Server: "chat-0", Time: time.Date(2024, 11, 3, 20, 43, 24, 0, time.UTC), Cursor: cursor, Messages: [][]byte{encoded.With(chat.Tally{Up: 3, Down: 1, Replies: 2}, 1)},
			More: true, Before: id, Features: []string{"people", "rooms", "conversation"},
		}),
		AppendWelcome(nil, Welcome{Server: "chat-0", Time: time.Date(2024, 11, 3, 20, 43, 24, 0, time.UTC), Cursor: cursor, Recovered: true, NoNumbers: true}),
		AppendHistoryOf(nil, "h1", [][]byte{encoded.With(deleted.Tally, 0)}, page),
		AppendUpdates(nil, [][]byte{
			AppendUpdate(nil, chat.Change{ID: id, Tally: chat.Tally{Up: 3}}),
			AppendUpdate(nil, chat.Change{ID: other, Tally: chat.Tally{Replies: 1, Deleted: true}}),
		}),
		AppendVoteAck(nil, "v1", id),
		AppendEphemeralAck(nil, "e1", id.Time()),
		AppendEphemerals(nil, [][]byte{AppendEphemeral(nil, chat.Ephemeral{At: id.Time(), Draft: chat.Draft{
			Key: "e1", Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: "psst", Account: "abcdefghij234567",
		}})}),
		AppendError(nil, &chat.Error{
			Code: chat.CodeBadMessage, Message: "filter: expected a closing )", At: 3, Expected: "a closing )",
		}, "", "h1"),
	}
}

// peopleFrames are those of accounts and rooms.
func peopleFrames() [][]byte {
	room := people.Room{
		ID: "~abcdefghij234567", Name: "den", Creator: "abcdefghij234567", Count: 2,
		Created: chat.Pos{Ms: 0x0192f3c4a5b6}.Time(),
	}
	return [][]byte{
		AppendWelcome(nil, Welcome{
			Server: "chat-0", Time: time.Date(2024, 11, 3, 20, 43, 24, 0, time.UTC), Cursor: chat.Cursor{Epoch: 7, Pos: []chat.Pos{{Idx: 0xff}}}.String(),
			Features: []string{"people", "rooms", "conversation"},
			You:      chat.Principal{Account: "abcdefghij234567", Email: "ann@example.org", Name: "Ann"},
		}),
		AppendRooms(nil, []people.Room{room}),
		AppendRooms(nil, nil),
		AppendError(nil, chat.NoTopics([]string{room.ID}), "", ""),
	}
}

// checkFrames holds frames against the golden ones.
func checkFrames(t *testing.T, frames [][]byte) {
	t.Helper()
	table := golden[struct {
		Name  string
		Frame map[string]any
	}](t, "server_frames.json")
	if len(table) != len(frames) {
		t.Fatalf("%d golden frames, %d made here", len(table), len(frames))
	}
	for i, g := range table {
		var got map[string]any
		if err := json.Unmarshal(frames[i], &got); err != nil {
			t.Errorf("%s: %v in %s", g.Name, err, frames[i])
		}
		if !reflect.DeepEqual(got, g.Frame) {
			t.Errorf("%s:\n got %s\nwant %v", g.Name, frames[i], g.Frame)
		}
	}
}

// BenchmarkAppendMessage is a message whose content is empty: what the rest costs.
func BenchmarkAppendMessage(b *testing.B) {
	m := chat.Message{Draft: chat.Draft{Key: "0123456789abcdef", Topic: "general", Name: "Ann", Email: "ann@example.org"}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMessage(buf[:0], m)
	}
}

func BenchmarkDecodePost(b *testing.B) {
	frame := []byte(`{"type":"post","key":"0123456789abcdef","topic":"general","name":"Ann","email":"ann@example.org","content":"a message of about the usual length, which is not long"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := Decode(frame); bad != nil {
			b.Fatal(bad)
		}
	}
}
