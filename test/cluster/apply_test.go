package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatapp/test/ledger"
)

// redisImage is the official image that the manifest has under our owner.
const redisImage = "redis:8.0-bookworm"

// startWait is how soon after apply everything must be ready once the images
// are there.
const startWait = 90 * time.Second

// firstApply builds, pushes and applies what is in the project, with the commands
// that the README gives, in an empty namespace.
// E2E_REUSE=1 leaves it out and tests what is deployed.
func firstApply(t *testing.T) {
	if os.Getenv("E2E_REUSE") != "" {
		t.Skip("E2E_REUSE is set: the tests that follow use what is deployed")
	}
	if _, err := tryKubectl(t, "get", "namespace", namespace); err == nil {
		t.Fatalf("namespace %s exists: make undeploy first, or set E2E_REUSE=1 to test what is there", namespace)
	}
	folders, err := filepath.Glob(root + "/images/*/Dockerfile")
	if err != nil || len(folders) == 0 {
		t.Fatalf("images/*/Dockerfile: %v %v", folders, err)
	}
	for _, f := range folders {
		name := filepath.Base(filepath.Dir(f))
		start := time.Now()
		must(t, "docker", "build", "-q", "-t", image(name, tag), "images/"+name)
		must(t, "docker", "push", "-q", image(name, tag))
		size := must(t, "docker", "image", "inspect", "-f", "{{.Size}}", image(name, tag))
		t.Logf("image %s: built and pushed in %.0f s, %s bytes", name, time.Since(start).Seconds(), size)
	}
	if _, err := tryDocker(t, "image", "inspect", redisImage); err != nil {
		must(t, "docker", "pull", "-q", redisImage)
	}
	must(t, "docker", "tag", redisImage, image("redis", "8.0-bookworm"))
	must(t, "docker", "push", "-q", image("redis", "8.0-bookworm"))

	must(t, "kubectl", "create", "namespace", namespace)
	// What the manifest promises is also asked of the cluster.
	must(t, "kubectl", "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
	kubectl(t, "create", "secret", "docker-registry", "regcred", "--docker-server="+registry,
		"--docker-username="+setting("REGISTRY_USER", "robot"), "--docker-password="+setting("REGISTRY_PASSWORD", "secret"))
	start := time.Now()
	kubectl(t, "apply", "-f", "chatapp.yaml")
	for _, what := range strings.Fields(kubectl(t, "get", "deployments,statefulsets", "-o", "name")) {
		left := startWait - time.Since(start)
		rolledOut(t, what, max(left, time.Second).Round(time.Second))
	}
	t.Logf("ready %.1f s after apply", time.Since(start).Seconds())
	if err := get(nodePort(t, 30222) + "/readyz"); err != nil {
		t.Fatal(err)
	}
	// With the passwords that everybody can read it works, and says so.
	if log := kubectl(t, "logs", "deployment/chat"); !strings.Contains(log, "everybody can read") {
		t.Errorf("the chat does not say that its password is public:\n%.2000s", log)
	}
}

// everyPod: everybody sees every message once and in order, on whichever of
// the pods; new connections are shared among them.
func everyPod(t *testing.T) {
	crowd := startCrowd(t, ledger.Options{Clients: 60, Rate: 30, Topics: 5})
	time.Sleep(5 * time.Second)
	servers := crowd.Servers()
	report := stopCrowd(t, crowd)
	if want := len(pods(t, "chat")); len(servers) != want {
		t.Errorf("clients are on %v, of %d pods", servers, want)
	}
	if report.Connections != 60 || len(report.Refused) > 0 {
		t.Errorf("nothing was done to it, yet: %v", report)
	}
}

func tryDocker(t testing.TB, args ...string) (string, error) {
	return run(t.Context(), root, "docker", args...)
}

// startCrowd starts clients on the node port.
func startCrowd(t testing.TB, o ledger.Options) *ledger.Crowd {
	t.Helper()
	o.URL, o.Log = nodePort(t, 30222), t.Logf
	crowd, err := ledger.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d clients on %v", o.Clients, crowd.Servers())
	return crowd
}

// stopCrowd closes the books and fails if they do not balance.
func stopCrowd(t testing.TB, crowd *ledger.Crowd) ledger.Report {
	t.Helper()
	report := crowd.Stop(30 * time.Second)
	t.Logf("%v; %.2f reconnects a client", report, report.Reconnects(crowd.Clients))
	if err := report.Faults(); err != nil {
		t.Error(err)
	}
	return report
}

// balanced waits until every server that there should be has its share.
func balanced(t testing.TB, crowd *ledger.Crowd, servers int, patience time.Duration) {
	t.Helper()
	took := until(t, patience, "connections are balanced", func() error {
		now := crowd.Servers()
		if b := ledger.Balance(now); len(now) != servers || b > 1.25 {
			return fmt.Errorf("%d servers wanted, max/mean at most 1.25: %.2f of %v", servers, b, now)
		}
		return nil
	})
	t.Logf("balanced after %.1f s: max/mean %.2f of %v", took.Seconds(), ledger.Balance(crowd.Servers()), crowd.Servers())
}
