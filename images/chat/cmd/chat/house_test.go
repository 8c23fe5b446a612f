package main_test

import (
	"cmp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the table of docs/architecture.md: which rooms a room may import.
var allowed = map[string][]string{
	"api":                 {},
	"web":                 {},
	"internal/chat":       {},
	"internal/filter":     {},
	"internal/people":     {"internal/chat"},
	"internal/wire":       {"internal/chat", "internal/people"},
	"internal/localstore": {"internal/chat", "internal/people", "internal/trouble"},
	"internal/redisstore": {"internal/chat", "internal/people", "internal/trouble"},
	"internal/trouble":    {},
	"internal/redisnode":  {},
	"internal/redistest":  {},
	"internal/storetest":  {"internal/chat", "internal/people"},
	"internal/measured":   {"internal/chat", "internal/trouble"},
	"internal/clock":      {},
	"internal/limit":      {"internal/chat"},
	"internal/feed":       {"internal/chat", "internal/clock", "internal/filter", "internal/wire"},
	"internal/crowd":      {"internal/chat", "internal/clock", "internal/wire"},
	"internal/live": {
		"internal/chat", "internal/clock", "internal/crowd", "internal/feed", "internal/filter", "internal/limit", "internal/people", "internal/wire",
	},
	"internal/server": {"internal/chat", "internal/limit", "internal/live", "internal/people", "internal/wire"},
	"cmd/house":       {},
	"cmd/chat": {
		"api", "web", "internal/chat", "internal/localstore", "internal/redisstore", "internal/redisnode",
		"internal/measured", "internal/trouble", "internal/filter", "internal/people", "internal/live", "internal/server",
	},
}

// owners may import what nobody else may.
var owners = map[string]string{
	"github.com/gorilla/websocket": "internal/live",
	"github.com/redis/go-redis/v9": "internal/redisstore internal/redisnode internal/redistest",
	"github.com/alecthomas/kong":   "cmd/chat",
	"go.etcd.io/bbolt":             "internal/localstore",
}

// TestTableSaysWhatIsAllowed holds the document to the list above.
func TestTableSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(line, "|")
		if name, ok := strings.CutPrefix(cells[min(1, len(cells)-1)], " `"); ok && len(cells) == 5 {
			rows[strings.TrimSuffix(name, "` ")] = strings.TrimSpace(cells[3])
		}
	}
	for room, rooms := range allowed {
		var names []string
		for _, other := range rooms {
			names = append(names, strings.TrimPrefix(other, "internal/"))
		}
		slices.Sort(names)
		want := cmp.Or(strings.Join(names, ", "), "nothing of ours")
		if room == "cmd/chat" {
			want = "all"
		}
		if rows[room] != want {
			t.Errorf("the table says that %s may import %q; here it is %q", room, rows[room], want)
		}
	}
}

func TestImportsFollowTheHouse(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "chatapp/chat/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		room := strings.TrimPrefix(words[0], "chatapp/chat/")
		rooms, known := allowed[room]
		if !known {
			t.Errorf("room %s is not in the table: say in docs/architecture.md what it is for and what it may import", room)
		}
		for _, imported := range words[1:] {
			if other, ours := strings.CutPrefix(imported, "chatapp/chat/"); ours && !slices.Contains(rooms, other) {
				t.Errorf("%s imports %s", room, other)
			}
			if owner, owned := owners[imported]; owned && !slices.Contains(strings.Fields(owner), room) {
				t.Errorf("%s imports %s, which is for %s", room, imported, owner)
			}
			if room == "internal/chat" && (imported == "net/http" || imported == "log/slog") {
				t.Errorf("%s imports %s", room, imported)
			}
		}
	}
}
