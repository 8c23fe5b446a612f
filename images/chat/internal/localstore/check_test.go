package localstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

// fill makes a log of some hundred messages in several topics, with pages
// that overflow and pages that are free, and gives its file.
func fill(t *testing.T, dir string) string {
	t.Helper()
	s, err := Open(Options{Dir: dir, Retention: chat.Retention{Messages: 400}})
	if err != nil {
		t.Fatal(err)
	}
	for batch := range 30 {
		events := make([]chat.Event, 20)
		for i := range events {
			events[i] = chat.NewEvent(chat.Draft{
				Key: fmt.Sprint(batch, "-", i), Topic: fmt.Sprint("topic ", i%7), Name: "Ann", Email: "ann@example.org",
				Content: strings.Repeat("x", 50+(batch*i)%300*30),
			})
		}
		if _, err := s.Append(t.Context(), 0, events); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, FileName)
}

func TestCheckPassesWholeLogs(t *testing.T) {
	path := fill(t, t.TempDir())
	r, err := Check(path, 0)
	if err != nil || r.Entries < 1000 || r.OneMeta {
		t.Errorf("Check of a whole log: %+v, %v", r, err)
	}
}

// TestDamagedFileIsRefused damages a log in many ways. Each time Open must
// either refuse with a *DamageError and leave the file as it was, or open a
// log that can be read from end to end. In a process of its own, since a miss
// ends the process with SIGBUS.
func TestDamagedFileIsRefused(t *testing.T) {
	if path := os.Getenv("CHECK_DAMAGED_FILE"); path != "" {
		openDamaged(path)
		return
	}
	whole, err := os.ReadFile(fill(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	const size = 4096
	rng := rand.New(rand.NewPCG(1, 2))
	type damage struct {
		name string
		data []byte
	}
	cases := []damage{
		{"emptied", nil},
		{"one byte", whole[:1]},
		{"cut to three pages", whole[:12288]},
		{"cut in half", whole[:len(whole)/2]},
		{"cut in the last page", whole[:len(whole)-1-len(whole)%size-size/2]},
		{"all zeroes", make([]byte, len(whole))},
		{"text", []byte(strings.Repeat("this is no log\n", 4000))},
	}
	for page := range min(len(whole)/size, 60) {
		for _, how := range []string{"zeroed", "random", "one bit of the header", "one bit"} {
			data := append([]byte(nil), whole...)
			at := data[page*size : (page+1)*size]
			switch how {
			case "zeroed":
				clear(at)
			case "random":
				for i := range at {
					at[i] = byte(rng.Uint32())
				}
			case "one bit of the header":
				at[rng.IntN(64)] ^= 1 << rng.IntN(8)
			case "one bit":
				at[rng.IntN(size)] ^= 1 << rng.IntN(8)
			}
			cases = append(cases, damage{fmt.Sprintf("page %d %s", page, how), data})
		}
	}
	dir := t.TempDir()
	var manifest strings.Builder
	for i, c := range cases {
		path := filepath.Join(dir, fmt.Sprint(i), FileName)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&manifest, path)
	}
	list := filepath.Join(dir, "list")
	if err := os.WriteFile(list, []byte(manifest.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDamagedFileIsRefused$")
	cmd.Env = append(os.Environ(), "CHECK_DAMAGED_FILE="+list)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the process that opens damaged files ended badly: %v\nafter: %s", err, lastLine(out))
	}
	lines := strings.Split(string(out), "\n")
	refused := 0
	for i, c := range cases {
		result := ""
		for _, l := range lines {
			if rest, ok := strings.CutPrefix(l, fmt.Sprintf("%d ", i)); ok {
				result = rest
			}
		}
		switch {
		case strings.HasPrefix(result, "refused"):
			refused++
			now, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i), FileName))
			if err != nil || string(now) != string(c.data) {
				t.Errorf("%s: the file was changed", c.name)
			}
		case strings.HasPrefix(result, "read"):
		default:
			t.Errorf("%s: %q", c.name, result)
		}
	}
	t.Logf("%d damaged files: %d refused, %d readable", len(cases), refused, len(cases)-refused)
	if refused < len(cases)/4 {
		t.Errorf("only %d of %d damaged files were refused", refused, len(cases))
	}
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// openDamaged opens every file that a list names, uses what opens, and prints
// a line for each.
func openDamaged(list string) {
	b, err := os.ReadFile(list)
	if err != nil {
		panic(err)
	}
	for i, path := range strings.Fields(string(b)) {
		fmt.Printf("%d %s\n", i, useDamaged(filepath.Dir(path)))
	}
}

func useDamaged(dir string) string {
	s, err := Open(Options{Dir: dir, Retention: chat.Retention{Messages: 400}})
	if err != nil {
		if d, ok := errors.AsType[*DamageError](err); !ok || strings.Contains(err.Error(), "\n") || d.What == "" {
			return "not said well: " + err.Error()
		}
		return "refused"
	}
	defer s.Close()
	return use(s)
}

func TestEmptyFileIsSaid(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir})
	if _, ok := errors.AsType[*DamageError](err); !ok || !strings.Contains(err.Error(), "empty") || !strings.Contains(err.Error(), path) {
		t.Errorf("an empty file: %v", err)
	}
}

func TestUnfinishedNewLogIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName+".new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName+".new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file under its first name is still there: %v", err)
	}
}

func TestCheckOfALogInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Check(filepath.Join(dir, FileName), time.Millisecond); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Check beside a server: %v", err)
	}
}

func TestOneMetaPageLost(t *testing.T) {
	dir := t.TempDir()
	path := fill(t, dir)
	before := epochOf(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[:4096])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := epochOf(t, dir); after == before {
		t.Error("the log may have lost its tail, but its epoch is the same")
	}
}

func epochOf(t *testing.T, dir string) uint64 {
	t.Helper()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	state, err := s.State(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return state.Epoch
}

// use reads everything in a log by every road, and appends, so that retention
// walks it too. What is damaged is stepped over.
func use(s *Store) string {
	ctx := context.Background()
	var from chat.Pos
	for {
		got, err := s.Read(ctx, 0, from, 100, 0)
		if err != nil {
			return "read: " + err.Error()
		}
		if got.Through == from {
			break
		}
		from = got.Through
	}
	topics, err := s.Topics(ctx, 0)
	if err != nil {
		return "topics: " + err.Error()
	}
	for _, topic := range topics {
		if _, err := s.Before(ctx, 0, topic.Topic, chat.MaxPos, 1000); err != nil {
			return "history of a topic: " + err.Error()
		}
	}
	if _, err := s.Before(ctx, 0, "", chat.MaxPos, 1000); err != nil {
		return "history: " + err.Error()
	}
	_, _ = s.Append(ctx, 0, []chat.Event{chat.NewEvent(chat.Draft{Key: "after", Topic: "topic 1", Name: "Ann", Email: "ann@example.org", Content: "hello"})})
	return "read"
}
