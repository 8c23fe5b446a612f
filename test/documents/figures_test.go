package documents

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A figure is stated in one place, the table of docs/performance.md, and comes
// from results/ by its name. Every other document quotes it by a link to that
// row: [12.8 KiB](docs/performance.md#idle-connection).
//
//	go test -count=1 ./documents -update     writes what the data say into all of them

var update = flag.Bool("update", false, "write the figures of results/ into the documents")

const table = "docs/performance.md"

// row is a row of the table: the anchor of a figure, and the figure.
var row = regexp.MustCompile(`(?m)^\| <a name="([a-z-]+)"></a>[^|]*\| ([^|]+) \|`)

// quote is a figure quoted elsewhere.
var quote = regexp.MustCompile(`\[([^\]]+)\]\((?:\.\./)*(?:docs/)?performance\.md#([a-z-]+)\)`)

// figures gives each figure by its anchor, from the data.
func figures(t *testing.T) map[string]string {
	t.Helper()
	var costs map[string][]map[string]float64
	read(t, "results/costs/footprint.json", &costs)
	cost := func(server, name string) float64 {
		var values []float64
		for _, round := range costs[server] {
			values = append(values, round[name])
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	onePod, onePodDeliveries := capacity(t, "results/capacity-1-pod/")
	posts, deliveries := capacity(t, "results/capacity-3-pods/")
	redis, err := os.ReadFile(filepath.Join(root, "results/costs/redis.txt"))
	if err != nil {
		t.Fatal(err)
	}
	bench := func(name, unit string) float64 {
		line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `-\d+\s.*$`).FindString(string(redis))
		m := regexp.MustCompile(`([0-9.]+) ` + regexp.QuoteMeta(unit)).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("results/costs/redis.txt has no %s of %s", unit, name)
		}
		value, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	return map[string]string{
		"idle-connection":     fmt.Sprintf("%.1f KiB", cost("chat", "bytes_per_idle_connection")/1024),
		"example-connection":  fmt.Sprintf("%.1f KiB", cost("example", "bytes_per_idle_connection")/1024),
		"lone-delivery":       fmt.Sprintf("%.2f µs", cost("chat", "cpu_us_per_delivery_trickle")),
		"burst-delivery":      fmt.Sprintf("%.2f µs", cost("chat", "cpu_us_per_delivery_burst")),
		"redis-time":          fmt.Sprintf("%.2f µs", bench("BenchmarkAppend/topics=1/batch=64/tails=3", "redis-µs/msg")),
		"redis-ratio":         fmt.Sprintf("%.1f ×", bench("BenchmarkAppend/topics=1/batch=64/tails=3", "×raw-xadd")),
		"redis-memory":        fmt.Sprintf("%.0f B", bench("BenchmarkMemory/batch=64", "B-log/msg")),
		"key-memory":          fmt.Sprintf("%.0f B", bench("BenchmarkMemory/batch=64", "B/key")),
		"capacity-pod":        onePod,
		"pod-deliveries":      onePodDeliveries,
		"capacity-posts":      posts,
		"capacity-deliveries": deliveries,
	}
}

// notMeasured stands for a figure whose run has not been made.
const notMeasured = "not measured"

// capacity gives the highest rate of a search that held twice, "at least" where
// the load generator gave way first, and the deliveries measured at it.
func capacity(t *testing.T, folder string) (posts, deliveries string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
		return notMeasured, notMeasured
	}
	var found struct {
		Held  *float64
		Who   string
		Steps []struct {
			Folder string
			Rate   float64
			Held   bool
		}
	}
	read(t, folder+"capacity.json", &found)
	if found.Held == nil {
		return notMeasured, notMeasured
	}
	least := ""
	if found.Who != "objective" {
		least = "at least "
	}
	number := func(v float64) string {
		if v < 100 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return thousands(math.Round(v))
	}
	for _, step := range found.Steps {
		if step.Held && step.Rate == *found.Held {
			var run struct {
				Throughput struct {
					Deliveries float64 `json:"deliveries_per_s"`
				}
			}
			read(t, folder+step.Folder+"/summary.json", &run)
			return least + number(*found.Held) + " posts/s", least + number(run.Throughput.Deliveries) + " a second"
		}
	}
	t.Fatal("no step of the capacity search has the rate that held")
	return "", ""
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func thousands(n float64) string {
	s := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// TestFigures holds the table to the data, and all quotations to the table.
func TestFigures(t *testing.T) {
	want := figures(t)
	documents := files(t, ".md")
	if *update {
		for name, text := range documents {
			changed := text
			if name == table {
				changed = replace(row, 2, 1, changed, want)
			}
			changed = replace(quote, 1, 2, changed, want)
			if changed != text {
				if err := os.WriteFile(filepath.Join(root, name), []byte(changed), 0o644); err != nil {
					t.Fatal(err)
				}
				documents[name] = changed
			}
		}
	}
	stated := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(documents[table], -1) {
		stated[m[1]] = m[2]
		if want[m[1]] != m[2] {
			t.Errorf("%s: %s is %q, the data say %q: go test ./documents -update", table, m[1], m[2], want[m[1]])
		}
	}
	for name := range want {
		if stated[name] == "" {
			t.Errorf("%s has no row for %s", table, name)
		}
	}
	for name, text := range documents {
		for _, m := range quote.FindAllStringSubmatch(text, -1) {
			if _, is := want[m[2]]; is && stated[m[2]] != m[1] {
				t.Errorf("%s quotes %s as %q, %s has %q", name, m[2], m[1], table, stated[m[2]])
			}
		}
	}
}

// replace puts the figure of the name in one group of each match into another.
func replace(pattern *regexp.Regexp, group, name int, text string, figures map[string]string) string {
	var b strings.Builder
	end := 0
	for _, m := range pattern.FindAllStringSubmatchIndex(text, -1) {
		if figure, ok := figures[text[m[2*name]:m[2*name+1]]]; ok {
			b.WriteString(text[end:m[2*group]] + figure)
			end = m[2*group+1]
		}
	}
	return b.String() + text[end:]
}

// TestReadmeHasNoOtherFigures finds measurements in the README that are no
// quotation. Settings and limits stand in tables and code, which it leaves out.
func TestReadmeHasNoOtherFigures(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	prose := quote.ReplaceAllString(fence.ReplaceAllString(string(text), ""), "")
	measure := regexp.MustCompile(`[0-9][0-9,.]* ?(KiB|MiB|KB|MB|GB|ms|µs|×|%|posts/s|messages/s|a second|deliveries)`)
	for _, line := range strings.Split(prose, "\n") {
		if strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") {
			continue
		}
		if found := measure.FindString(line); found != "" {
			t.Errorf("README.md says %q in %q: quote it from the table in %s", found, line, table)
		}
	}
}

// TestReportAgrees finds each figure of the table in the report.
func TestReportAgrees(t *testing.T) {
	out, err := exec.Command("pdftotext", "-layout", filepath.Join(root, "report.pdf"), "-").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("pdftotext is not installed (Debian: poppler-utils)")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, figure := range figures(t) {
		number := regexp.MustCompile(`[0-9][0-9.,]*`).FindString(figure)
		if number == "" {
			continue
		}
		if !regexp.MustCompile(`(^|[^0-9.,])` + regexp.QuoteMeta(number) + `($|[^0-9])`).Match(out) {
			t.Errorf("report.pdf does not have %s (%s): make report", figure, name)
		}
	}
}
