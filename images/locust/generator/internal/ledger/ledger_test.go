package ledger

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"chatapp/generator/internal/wire"
)

// The cases of the Python ledger: events and the verdict.
const goldenCases = "../../../tests/golden/ledger/*.json"

type event struct {
	Do            string
	Process       int
	Reader        string
	Topics        []string
	Topic         string
	Poster        string
	Seq           int
	ID            string
	At            int64
	More          bool
	Confirmed     bool
	Messages      []*wire.Message
	ResumedBefore int64 `json:"resumed_before"`
	Outcomes      []Outcome
}

type goldenCase struct {
	About   string
	Run     string
	Kept    int
	Events  []event
	Strays  map[string][]string
	Again   map[string][]string
	Verdict Verdict
	Clean   bool
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob(goldenCases)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Skipf("%d golden cases here: a docker context has none", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c goldenCase
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			found, strays := replay(t, c)
			examples := found.Examples
			found.Examples = nil
			if !reflect.DeepEqual(found, c.Verdict) {
				t.Errorf("%s\n got %+v\nwant %+v\n%q", c.About, found, c.Verdict, examples)
			}
			if fmt.Sprint(strays) != fmt.Sprint(c.Strays) {
				t.Errorf("strays %v, want %v", strays, c.Strays)
			}
			if !c.Clean && len(examples) == 0 {
				t.Error("a broken promise without an example")
			}
		})
	}
}

// replay lets the ledgers live through a case.
func replay(t *testing.T, c goldenCase) (Verdict, map[string][]string) {
	ledgers := map[int]*Ledger{}
	readers := map[string]*Reader{}
	histories := map[string]History{}
	for _, e := range c.Events {
		l := ledgers[e.Process]
		if l == nil {
			l = Open(c.Run)
			ledgers[e.Process] = l
		}
		switch e.Do {
		case "welcome":
			if readers[e.Reader] == nil {
				readers[e.Reader] = l.Reader(e.Reader)
			}
			readers[e.Reader].Welcome(e.Topics, e.Messages, e.More, e.At)
		case "send":
			l.Book(e.Topic, e.Poster).Send(e.At)
		case "ack":
			l.Book(e.Topic, e.Poster).Ack(e.Seq, e.ID)
		case "show":
			for i, m := range e.Messages {
				if got, _ := readers[e.Reader].Deliver(m, e.ResumedBefore); got != e.Outcomes[i] {
					t.Errorf("%s was %s, want %s", m.ID, got, e.Outcomes[i])
				}
			}
		case "position":
			readers[e.Reader].Position(e.Confirmed, e.Messages)
		case "leave":
			readers[e.Reader].Attached = false
		case "history":
			histories[e.Topic] = l.History(e.Messages)
		default:
			t.Fatalf("no such event: %s", e.Do)
		}
	}
	books := map[Stream]*Book{}
	for _, l := range ledgers {
		for stream, book := range l.Books {
			books[stream] = book
		}
	}
	made, verdict := establishAll(books, histories, c.Kept)
	canons := map[string]*Canon{}
	for topic, canon := range made {
		canons[topic] = travel(t, canon)
	}
	strays := map[string][]string{}
	for _, l := range ledgers {
		merge(&verdict, l.Settle(canons))
		for topic, ids := range l.Strays(canons) {
			strays[topic] = append(strays[topic], ids...)
			gone(&verdict, topic, ids, c.Again[topic])
		}
	}
	return verdict, strays
}

// travel packs a canon as the master does, and reads it back.
func travel(t *testing.T, c *Canon) *Canon {
	ids, who, seqs, sent := []string{}, []int{}, []int{}, []int64{}
	posters := map[string]int{}
	raw, err := msgpack.Marshal(c.sizes)
	if err != nil {
		t.Fatal(err)
	}
	order, _, err := orderedSizes(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range order {
		posters[name] = i
	}
	for _, e := range c.entries {
		ids, who = append(ids, e.ID), append(who, posters[e.Poster])
		seqs, sent = append(seqs, e.Seq), append(sent, e.Sent)
	}
	var kept any
	if c.known {
		kept = append([]int{}, c.kept.Edges()...)
	}
	packed, err := msgpack.Marshal([]any{msgpack.RawMessage(raw), ids, who, seqs, sent, kept})
	if err != nil {
		t.Fatal(err)
	}
	read, err := UnpackCanon(packed)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestMark(t *testing.T) {
	m := Mark{"run", "p1-2", 7, 1_000_000, 42}
	for _, size := range []int{1, 60, 200, 4000, 9000} {
		content := m.Content(size)
		got, ok, err := ReadMark(content)
		if got != m || !ok || err != nil {
			t.Fatalf("%q was read as %+v %t %v", content, got, ok, err)
		}
		for _, bad := range []string{content + "!", content[:len(content)-1], content[:8]} {
			if _, _, err := ReadMark(bad); err == nil && size <= 4000 {
				t.Errorf("%q passes for whole", bad)
			}
		}
	}
	if len(m.Content(200)) != 200 {
		t.Error("not of the size asked for")
	}
	if _, ok, err := ReadMark("hello"); ok || err != nil {
		t.Error("hello is somebody else's")
	}
}
