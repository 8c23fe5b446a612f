package main_test

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/chat/internal/redistest"
)

// TestAccountCommand makes, lists, changes and deletes accounts beside a
// running server, and without one, on both stores.
func TestAccountCommand(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	long := filepath.Join(t.TempDir(), strings.Repeat("a long folder name ", 6)) // longer than a socket's name may be
	for name, where := range map[string][]string{
		"embedded": {"--data", long},
		"Redis":    {"--redis-url", redis.URL()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(want int, input string, args ...string) string {
				t.Helper()
				cmd := exec.Command(binary, append(append([]string{"account"}, args...), where...)...)
				var out bytes.Buffer
				cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
				_ = cmd.Run() // the status says it
				if got := cmd.ProcessState.ExitCode(); got != want {
					t.Errorf("chat account %q: status %d, want %d: %s", args, got, want, &out)
				}
				return out.String()
			}
			status := func(p *pod, password string) int {
				t.Helper()
				resp, err := http.Post("http://"+p.addr+"/api/v1/session", "application/json",
					strings.NewReader(`{"email":"ann@example.org","password":"`+password+`"}`))
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				return resp.StatusCode
			}
			const begins = "a new one begins there"
			first := run(0, "correct horse\n", "add", "ann@example.org", "Ann", "--stdin") // nobody serves yet
			if got, want := strings.Contains(first, begins), name == "embedded"; got != want {
				t.Errorf("told of a new log: %v, want %v: %s", got, want, first)
			}
			if again := run(0, "", "list"); strings.Contains(again, begins) {
				t.Errorf("told again: %s", again)
			}
			p := startPod(t, append(where, "--registration", "closed")...)
			if got := status(p, "correct horse"); got != 200 {
				t.Errorf("sign in: %d", got)
			}
			run(1, "correct horse\n", "add", "ANN@example.org", "Ann", "--stdin")
			made := run(0, "", "add", "bob@example.org", "Bob")
			if !strings.Contains(made, "password: ") {
				t.Errorf("made %s", made)
			}
			if list := run(0, "", "list"); !strings.Contains(list, "ann@example.org") || !strings.Contains(list, "bob@example.org") {
				t.Errorf("list %s", list)
			}
			run(0, "another password\n", "password", "ann@example.org", "--stdin")
			if got := status(p, "correct horse"); got != 401 {
				t.Errorf("the old password: %d", got)
			}
			if got := status(p, "another password"); got != 200 {
				t.Errorf("the new password: %d", got)
			}
			run(0, "", "delete", "ann@example.org")
			if out := run(1, "", "delete", "ann@example.org"); !strings.Contains(out, "no account") {
				t.Errorf("delete again: %s", out)
			}
			if got := status(p, "another password"); got != 401 {
				t.Errorf("after deleting: %d", got)
			}
			run(2, "", "nonsense")
			run(2, "", "add", "ann@example.org")
		})
	}
}
