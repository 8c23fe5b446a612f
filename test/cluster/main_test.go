package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestMain skips everything, with a word, where it cannot or should not run.
func TestMain(m *testing.M) {
	skip := func(why string) {
		fmt.Println("skipped: " + why)
		os.Exit(0)
	}
	if os.Getenv("E2E") == "" {
		skip("these tests deploy to the cluster of the current kubectl context: run them by make e2e")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := run(ctx, root, "kubectl", "version", "--request-timeout=10s"); err != nil {
		skip("no Kubernetes answers in the current kubectl context")
	}
	if _, err := run(ctx, root, "docker", "version"); err != nil {
		skip("no docker to build the images with")
	}
	os.Exit(m.Run())
}

// TestCluster is one story: what the first chapter deploys the others use and
// leave whole. A single one: E2E_REUSE=1 make e2e RUN=TestCluster/rollout.
func TestCluster(t *testing.T) {
	for _, chapter := range []struct {
		name string
		test func(*testing.T)
	}{
		{"first apply", firstApply},
		{"every pod", everyPod},
		{"in a browser", inBrowser},
		{"rollout", rollout},
		{"delete a pod", deletePod},
		{"restart Redis", restartRedis},
		{"hand over Redis", handOver},
		{"change passwords", changePasswords},
		{"scale", scale},
		{"bad image", badImage},
		{"drain the node", drain},
		{"autoscale", autoscale},
	} {
		if !t.Run(chapter.name, chapter.test) && chapter.name == "first apply" {
			t.Fatal("without a deployment there is nothing more to test")
		}
	}
}
