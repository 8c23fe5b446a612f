package documents

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// indented is a block of code in a document.
var indented = regexp.MustCompile(`(?m)(?:^ {4}.*\n)+`)

// TestExamplesOfTheReadme types the README's examples into a shell, beside the
// program on an empty log.
func TestExamplesOfTheReadme(t *testing.T) {
	program, err := filepath.Abs(filepath.Join(root, "bin/chat"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/chat is not there: make build")
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, examples, _ := strings.Cut(string(readme), "## By example")
	examples, _, _ = strings.Cut(examples, "\n## ")
	script := ""
	for _, block := range indented.FindAllString(examples, -1) {
		if strings.Contains(block, "curl ") {
			script += regexp.MustCompile(`(?m)^ {4}curl -s`).ReplaceAllString(block, `curl -sS -w '\n%{http_code}\n'`)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	chat := exec.CommandContext(ctx, program, "--listen", "127.0.0.1:0", "--admin-listen", "off", "--data", t.TempDir())
	says, err := chat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := chat.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		chat.Process.Signal(os.Interrupt)
		chat.Wait()
	}()
	address := ""
	for lines := bufio.NewScanner(says); address == "" && lines.Scan(); {
		if m := regexp.MustCompile(`listens on http://(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
	}
	if address == "" {
		t.Fatal("the program does not say where it listens")
	}

	shell := exec.CommandContext(ctx, "bash", "-eu")
	shell.Stdin = strings.NewReader(strings.ReplaceAll(script, "localhost:30222", address))
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\n201\n", `"content":"Anybody there?"`, `"topics":[{"topic":"tea"`,
		`"name":"Kitchen"`, `"up":1`, `"filter":"topic:tea -is:reply"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the examples print no %s", want)
		}
	}
	if failed := regexp.MustCompile(`\n[345][0-9][0-9]\n`).FindString(string(out)); failed != "" {
		t.Errorf("one of the examples is refused: %s", strings.TrimSpace(failed))
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
