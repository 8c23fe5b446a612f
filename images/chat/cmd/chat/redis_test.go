package main_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"chatapp/chat/internal/redisnode"
)

// The passwords that chatapp.yaml comes with are known as such, and a chat that
// finds one says so; it says nothing of another one, and never the password.
func TestPublicPasswordsAreSaid(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile("../../../../chatapp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	public := regexp.MustCompile(`(?m)^  (?:chat|system)-password: (\S+)$`).FindAllSubmatch(manifest, -1)
	if len(public) != 2 {
		t.Fatalf("chatapp.yaml has %d passwords", len(public))
	}
	for _, match := range public {
		if !strings.HasPrefix(string(match[1]), redisnode.PublicPassword) {
			t.Errorf("%s does not begin with %s", match[1], redisnode.PublicPassword)
		}
	}
	const warning = "everybody can read"
	for password, said := range map[string]bool{string(public[0][1]): true, "secret": false} {
		p := startPod(t, "--redis-url", "redis://chat:"+password+"@127.0.0.1:1/0")
		log, err := os.ReadFile(p.log.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), warning) != said || strings.Contains(string(log), password) {
			t.Errorf("%s", log)
		}
	}
}

// "chat redis" is part of the program, and its failures have an exit status.
func TestRedisCommand(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command(binary, "redis", "--help").Output(); err != nil || !strings.Contains(string(out), "chat redis start") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command(binary, "redis", "ready").CombinedOutput(); err == nil || !strings.Contains(string(out), "CHAT_PASSWORD") {
		t.Errorf("%v: %s", err, out)
	}
}
