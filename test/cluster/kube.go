// Package cluster deploys to a real Kubernetes, as a stranger would, and then breaks
// things: pods, nodes, images, Redis. It uses the cluster of the current
// kubectl context and runs by "make e2e" only, for it deploys and deletes.
package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Settings, as the Makefile has them.
var (
	registry  = setting("REGISTRY", "harbor.pacslab.ca")
	owner     = setting("OWNER", "123456789")
	tag       = setting("TAG", "latest")
	namespace = setting("NAMESPACE", "chatapp")
)

// root is the project's folder.
const root = "../.."

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func image(name, tag string) string { return registry + "/" + owner + "/" + name + ":" + tag }

// run runs a command and gives its output, trimmed.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.String(), bad.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// must runs a command in the project's folder, for at most twenty minutes: an
// image on a busy machine.
func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	out, err := run(ctx, root, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kubectl runs in the application's namespace.
func kubectl(t testing.TB, args ...string) string {
	t.Helper()
	return must(t, "kubectl", append([]string{"-n", namespace}, args...)...)
}

// tryKubectl is kubectl whose failure is an answer.
func tryKubectl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
	defer cancel()
	return run(ctx, root, "kubectl", append([]string{"-n", namespace}, args...)...)
}

// pods gives the names of the running pods of an app that are ready and not
// being deleted.
func pods(t testing.TB, app string) []string {
	t.Helper()
	out := kubectl(t, "get", "pods", "-l", "app="+app, "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	var names []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "True" {
			names = append(names, f[0])
		}
	}
	return names
}

// rolledOut waits until a Deployment or StatefulSet is as it should be.
func rolledOut(t testing.TB, what string, patience time.Duration) {
	t.Helper()
	kubectl(t, "rollout", "status", what, "--timeout="+patience.String())
}

// until asks every 200 ms until there is no error, and fails with the last one.
func until(t testing.TB, patience time.Duration, what string, ask func() error) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		err := ask()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > patience {
			t.Fatalf("waited %s until %s: %v", patience, what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// get is one HTTP GET that wants 200.
func get(url string) error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// nodePort gives http://HOST:port, where HOST answers: the cluster may be this
// machine, or another one.
func nodePort(t testing.TB, port int) string {
	t.Helper()
	hosts := []string{"127.0.0.1"}
	if h := os.Getenv("NODE"); h != "" {
		hosts = []string{h}
	} else {
		hosts = append(hosts, strings.Fields(must(t, "kubectl", "get", "nodes", "-o",
			`jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}`))...)
	}
	var url string
	until(t, 30*time.Second, fmt.Sprintf("node port %d answers on one of %v", port, hosts), func() (err error) {
		for _, h := range hosts {
			url = fmt.Sprintf("http://%s:%d", h, port)
			if err = get(url); err == nil {
				return nil
			}
		}
		return err
	})
	return url
}

// redisMaster is the pod whose Redis is master.
func redisMaster(t testing.TB) string {
	t.Helper()
	var master string
	until(t, 30*time.Second, "there is a master", func() error {
		for _, pod := range pods(t, "redis") {
			out, err := redisCLI(t, pod, "role")
			if first, _, _ := strings.Cut(out, "\n"); err == nil && first == "master" {
				master = pod
				return nil
			}
		}
		return fmt.Errorf("none of %v says so", pods(t, "redis"))
	})
	return master
}

// redisCLI sends a command to a pod's Redis.
func redisCLI(t testing.TB, pod string, command ...string) (string, error) {
	t.Helper()
	return tryKubectl(t, append([]string{"exec", pod, "-c", "redis", "--", "/opt/chatapp/chat", "redis", "cli"}, command...)...)
}
