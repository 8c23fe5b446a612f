package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/test/ledger"
)

// crowd500 is the crowd of the rollout: 500 clients, 100 posts a second. Each
// follows 4 of 20 topics, which makes 10,000 deliveries a second.
var crowd500 = ledger.Options{Clients: 500, Rate: 100, Topics: 20, Follow: 4}

// crowd100 is enough to see what is lost when a pod goes.
var crowd100 = ledger.Options{Clients: 100, Rate: 50, Topics: 10, Follow: 5}

// rollout: a new version arrives and nobody notices.
func rollout(t *testing.T) {
	crowd := startCrowd(t, crowd500)
	time.Sleep(5 * time.Second)
	kubectl(t, "rollout", "restart", "deployment/chat")
	rolledOut(t, "deployment/chat", 3*time.Minute)
	old := time.Now()
	want := len(pods(t, "chat"))
	// The last old pod may still be draining.
	until(t, 60*time.Second, "the old pods are gone", func() error {
		if out := kubectl(t, "get", "pods", "-l", "app=chat", "--no-headers"); strings.Count(out, "\n")+1 != want {
			return errors.New(out)
		}
		return nil
	})
	balanced(t, crowd, want, 60*time.Second-time.Since(old))
	report := stopCrowd(t, crowd)
	// One of the three old pods may go before the new ones are there.
	if n := report.Reconnects(crowd.Clients); n > 1.4 {
		t.Errorf("%.2f reconnects a client", n)
	}
	if len(report.Refused) > 0 || report.GapP99 > time.Second {
		t.Errorf("somebody noticed: %v", report)
	}
}

// deletePod: any single pod goes, with and without a word; the chat takes
// posts again within 10 s and the books balance.
func deletePod(t *testing.T) {
	for name, victim := range map[string]func(testing.TB) string{
		"chat":          func(t testing.TB) string { return pods(t, "chat")[0] },
		"redis master":  redisMaster,
		"redis replica": redisReplica,
		"locust worker": func(t testing.TB) string { return pods(t, "locust-worker")[0] },
	} {
		for _, force := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s force=%t", name, force), func(t *testing.T) {
				healthy(t)
				crowd := startCrowd(t, crowd100)
				time.Sleep(3 * time.Second)
				pod := victim(t)
				args := []string{"delete", "pod", pod, "--wait=false"}
				if force {
					args = append(args, "--force", "--grace-period=0")
				}
				kubectl(t, args...)
				t.Logf("deleted %s", pod)
				time.Sleep(15 * time.Second)
				if report := stopCrowd(t, crowd); report.AckMax > 10*time.Second {
					t.Errorf("a post was acknowledged after %s", report.AckMax)
				}
			})
		}
	}
}

// restartRedis: what happens to all Redis, one after the other or at once, costs
// time and nothing else, as long as the pods and so their disks are the same.
func restartRedis(t *testing.T) {
	t.Run("rolling restart", func(t *testing.T) {
		healthy(t)
		crowd := startCrowd(t, crowd100)
		time.Sleep(3 * time.Second)
		kubectl(t, "rollout", "restart", "statefulset/redis")
		rolledOut(t, "statefulset/redis", 4*time.Minute)
		time.Sleep(3 * time.Second)
		if report := stopCrowd(t, crowd); report.AckMax > 10*time.Second {
			t.Errorf("a post was acknowledged after %s", report.AckMax)
		}
	})
	t.Run("all at once", func(t *testing.T) {
		healthy(t)
		crowd := startCrowd(t, crowd100)
		time.Sleep(3 * time.Second)
		for _, pod := range pods(t, "redis") {
			// The connection ends before the answer.
			_, _ = redisCLI(t, pod, "shutdown", "nosave", "now", "force")
		}
		healthy(t)
		acknowledging(t, crowd)
		// The last posts may have been seen before a replica had them. Who saw
		// them is told to start again.
		report := crowd.Stop(30 * time.Second)
		t.Log(report)
		if report.Lost > 0 && report.Unsaid == 0 {
			t.Error("messages were not shown, and nobody was told")
		}
	})
	// On the pods' own disks this is the end of the log, and the chat must say
	// so; on persistent volumes it is not.
	t.Run("all pods deleted", func(t *testing.T) {
		healthy(t)
		crowd := startCrowd(t, crowd100)
		time.Sleep(3 * time.Second)
		kubectl(t, "delete", "pods", "-l", "app=redis", "--wait=false")
		time.Sleep(5 * time.Second)
		healthy(t)
		t.Logf("posts are acknowledged again after %.1f s more", acknowledging(t, crowd).Seconds())
		report := crowd.Stop(2 * time.Second)
		t.Log(report)
		if report.Lost > 0 && report.Unsaid == 0 {
			t.Error("messages are gone, and nobody was told")
		}
	})
}

// acknowledging waits until posts are acknowledged again.
func acknowledging(t testing.TB, crowd *ledger.Crowd) time.Duration {
	t.Helper()
	before := crowd.Acked()
	return until(t, time.Minute, "posts are acknowledged again", func() error {
		if crowd.Acked() < before+100 {
			return errors.New("no new ones")
		}
		return nil
	})
}

// changePasswords changes Redis's passwords as docs/operations.md says, and
// back, without anybody noticing.
func changePasswords(t *testing.T) {
	healthy(t)
	crowd := startCrowd(t, crowd100)
	secret := func(chat, chatAlso, system, systemAlso string) {
		t.Helper()
		kubectl(t, "patch", "secret", "redis", "-p", fmt.Sprintf(
			`{"stringData":{"chat-password":%q,"chat-password-also":%q,"system-password":%q,"system-password-also":%q}}`,
			chat, chatAlso, system, systemAlso))
		kubectl(t, "rollout", "restart", "statefulset/redis")
		rolledOut(t, "statefulset/redis", 4*time.Minute)
	}
	const oldChat, oldSystem = "chatappChangeMeChat", "chatappChangeMeSystem"
	secret(oldChat, "newChat", oldSystem, "newSystem")
	secret("newChat", oldChat, "newSystem", oldSystem)
	kubectl(t, "rollout", "restart", "deployment/chat")
	rolledOut(t, "deployment/chat", 3*time.Minute)
	secret(oldChat, "newChat", oldSystem, "newSystem")
	kubectl(t, "rollout", "restart", "deployment/chat")
	rolledOut(t, "deployment/chat", 3*time.Minute)
	secret(oldChat, "", oldSystem, "")
	if report := stopCrowd(t, crowd); report.AckMax > 10*time.Second {
		t.Errorf("a post was acknowledged after %s", report.AckMax)
	}
}

// handOver has a healthy Redis master replaced while posts come: as an operator
// should, which nobody notices; and as Sentinel does it when it is told to. Then
// the readers have seen messages that were never acknowledged and are gone, so
// they are told to start again. What was acknowledged is in the log all the same:
// TestFailoverByHandLosesNothing (images/chat/internal/redisnode) looks it up.
func handOver(t *testing.T) {
	replace := func(t *testing.T, command ...string) *ledger.Crowd {
		healthy(t)
		crowd := startCrowd(t, crowd100)
		time.Sleep(3 * time.Second)
		master := redisMaster(t)
		kubectl(t, append([]string{"exec", master, "-c", "redis", "--", "/opt/chatapp/chat", "redis"}, command...)...)
		until(t, time.Minute, "another is master", func() error {
			if redisMaster(t) == master {
				return errors.New("still " + master)
			}
			return nil
		})
		time.Sleep(15 * time.Second)
		return crowd
	}
	t.Run("leave", func(t *testing.T) {
		if report := stopCrowd(t, replace(t, "leave")); report.AckMax > 10*time.Second {
			t.Errorf("a post was acknowledged after %s", report.AckMax)
		}
	})
	t.Run("sentinel failover", func(t *testing.T) {
		report := replace(t, "cli", "-p", "26379", "sentinel", "failover", "chat").Stop(30 * time.Second)
		t.Log(report)
		if report.Lost > 0 && report.Unsaid == 0 {
			t.Error("messages were not shown, and nobody was told")
		}
		if len(report.Refused) > 0 || report.AckMax > 10*time.Second {
			t.Errorf("posts were refused, or acknowledged after %s", report.AckMax)
		}
	})
}

// scale: pods come and go under load; each clients' share follows.
func scale(t *testing.T) {
	// The autoscaler has an opinion of its own.
	kubectl(t, "delete", "hpa", "chat")
	defer func() {
		kubectl(t, "apply", "-f", "chatapp.yaml")
		healthy(t)
	}()
	kubectl(t, "scale", "deployment/chat", "--replicas=2")
	until(t, time.Minute, "two pods are left", func() error { return podCount(t, "chat", 2) })
	crowd := startCrowd(t, crowd500)
	time.Sleep(3 * time.Second)
	for _, n := range []int{5, 2} {
		kubectl(t, "scale", "deployment/chat", "--replicas="+strconv.Itoa(n))
		rolledOut(t, "deployment/chat", 2*time.Minute)
		until(t, time.Minute, "the others are gone", func() error { return podCount(t, "chat", n) })
		balanced(t, crowd, n, 60*time.Second)
	}
	stopCrowd(t, crowd)
}

// badImage: a version that cannot start takes one old pod away, and no more.
func badImage(t *testing.T) {
	crowd := startCrowd(t, crowd100)
	before := pods(t, "chat")
	kubectl(t, "set", "image", "deployment/chat", "chat="+image("chat", "no-such-tag"))
	defer func() {
		kubectl(t, "rollout", "undo", "deployment/chat")
		rolledOut(t, "deployment/chat", time.Minute)
	}()
	until(t, time.Minute, "the new pods fail", func() error {
		if out := kubectl(t, "get", "pods", "-l", "app=chat"); !strings.Contains(out, "ImagePull") {
			return errors.New(out)
		}
		return nil
	})
	time.Sleep(10 * time.Second)
	after := pods(t, "chat")
	gone := slices.DeleteFunc(before, func(pod string) bool { return slices.Contains(after, pod) })
	if len(gone) > 1 || len(after) < 2 {
		t.Errorf("%v are left, %v are gone", after, gone)
	}
	if report := stopCrowd(t, crowd); len(report.Refused) > 0 || report.Reconnects(crowd.Clients) > 1 {
		t.Errorf("somebody noticed: %v", report)
	}
}

// drain: a node is emptied only as far as the disruption budgets allow.
// Of the one node of a small cluster that is one pod of each.
func drain(t *testing.T) {
	nodes := strings.Fields(must(t, "kubectl", "get", "nodes", "-o", "name"))
	if len(nodes) != 1 {
		t.Skipf("made for a cluster of one node, this one has %d", len(nodes))
	}
	crowd := startCrowd(t, crowd100)
	node := strings.TrimPrefix(nodes[0], "node/")
	out, err := tryKubectl(t, "drain", node, "--pod-selector=app in (chat, redis)", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=45s")
	defer func() {
		must(t, "kubectl", "uncordon", node)
		healthy(t)
	}()
	if err == nil || !strings.Contains(err.Error(), "disruption budget") {
		t.Errorf("the budgets should have stopped it: %v %s", err, out)
	}
	for _, app := range []string{"chat", "redis"} {
		if now := pods(t, app); len(now) < 2 {
			t.Errorf("of %s there is %v", app, now)
		}
	}
	if report := stopCrowd(t, crowd); report.AckMax > 10*time.Second {
		t.Errorf("a post was acknowledged after %s", report.AckMax)
	}
}

// autoscale: more pods under load, fewer after. The thresholds and
// periods are the manifest's made smaller: no small machine could make the
// load that they are meant for, and nobody waits so long.
func autoscale(t *testing.T) {
	if _, err := tryKubectl(t, "top", "pods"); err != nil {
		t.Skip("no metrics-server here: the autoscaler does nothing")
	}
	kubectl(t, "patch", "hpa", "chat", "--type=merge", "-p", `{"spec":{
		"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"AverageValue","averageValue":"50m"}}}],
		"behavior":{"scaleUp":{"stabilizationWindowSeconds":0},
		"scaleDown":{"stabilizationWindowSeconds":20,"policies":[{"type":"Pods","value":1,"periodSeconds":15}]}}}}`)
	defer func() {
		kubectl(t, "apply", "-f", "chatapp.yaml")
		healthy(t)
	}()
	crowd := startCrowd(t, crowd500)
	until(t, 3*time.Minute, "there are more pods", func() error { return atLeast(t, 4) })
	stopCrowd(t, crowd)
	until(t, 5*time.Minute, "there are three pods again", func() error { return podCount(t, "chat", 3) })
}

func atLeast(t testing.TB, want int) error {
	if now := pods(t, "chat"); len(now) < want {
		return fmt.Errorf("pods: %v", now)
	}
	return nil
}

func podCount(t testing.TB, app string, want int) error {
	if out := kubectl(t, "get", "pods", "-l", "app="+app, "--no-headers"); strings.Count(out, "\n")+1 != want || len(pods(t, app)) != want {
		return errors.New(out)
	}
	return nil
}

func redisReplica(t testing.TB) string {
	master := redisMaster(t)
	for _, pod := range pods(t, "redis") {
		if pod != master {
			return pod
		}
	}
	t.Fatal("there is no replica")
	return ""
}

// healthy waits until everything is as it should be.
func healthy(t testing.TB) {
	t.Helper()
	for _, what := range strings.Fields(kubectl(t, "get", "deployments,statefulsets", "-o", "name")) {
		rolledOut(t, what, 2*time.Minute)
	}
}
