package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/chat/internal/redistest"
)

// seed of all random choices; a failure is repeated by running again.
const seed = 20261123

func startPods(t *testing.T, n int, redisURL string) []*pod {
	t.Helper()
	pods := make([]*pod, n)
	for i := range pods {
		pods[i] = startPod(t, "--redis-url", redisURL, "--post-rate", "0",
			"--drain-settle", "200ms", "--drain-spread", "500ms", "--drain-leave", "2s")
	}
	for _, p := range pods {
		until(t, "the pod is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	}
	return pods
}

func addrsOf(pods []*pod, first int) []string {
	var addrs []string
	for i := range pods {
		addrs = append(addrs, pods[(first+i)%len(pods)].addr)
	}
	return addrs
}

func TestEmbeddedLogSurvivesKill(t *testing.T) {
	t.Parallel()
	p := startPod(t, "--data", t.TempDir(), "--post-rate", "0")
	ann, ben := newPerson(t, "ann", p.addr), newPerson(t, "ben", p.addr)
	const rounds, each = 5, 40
	for round := range rounds {
		for i := range each {
			ann.post(fmt.Sprintf("%d-%d", round, i), "tea", "hello")
		}
		if round%2 == 0 {
			p.kill() // with posts under way
		} else if code := p.term(); code != 0 {
			t.Errorf("SIGTERM: exit status %d", code)
		}
		p.start()
		until(t, "ben is back", func() bool { return ben.get(func() bool { return ben.connects == round+2 }) })
	}
	ann.settled(t, rounds*each)
	ben.settled(t, rounds*each)
	ann.faultless(t)
	ben.faultless(t)
	storedOnce(t, p.addr, ann)
	if n := len(history(t, p.addr)); n != rounds*each {
		t.Errorf("%d messages in the log; want %d", n, rounds*each)
	}
	if ben.connects != rounds+1 {
		t.Errorf("ben connected %d times; want %d", ben.connects, rounds+1)
	}
}

func TestSecondProcessOnOneFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startPod(t, "--data", dir)
	out, err := exec.Command(binary, "--listen", "127.0.0.1:0", "--data", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by another process") || !strings.Contains(string(out), "--data") {
		t.Errorf("second process: %v\n%s", err, out)
	}
}

func TestBadSettingExitsWith2AndNamesIt(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--listen", "nowhere"}, {"--post-rate", "fast"}, {"--keep-age", "yesterday"}, {"--max-connections", "-1"},
		{"--redis-url", "http://x"}, {"--log-format", "xml"}, {"--allow-origin", "example.org"}, {"--colour", "red"},
		{"--redis-min-replicas", "many"}, {"--drain-settle", "soon"}, {"--name", ""},
	} {
		cmd := exec.Command(binary, args...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), strings.TrimPrefix(args[0], "--")) {
			t.Errorf("%v: %v, want status 2 and the setting's name\n%s", args, err, out)
		}
	}
	cmd := exec.Command(binary)
	cmd.Env = append(cmd.Environ(), "CHAT_POST_BURST=0")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "CHAT_POST_BURST") {
		t.Errorf("variable: status %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestKilledPod: kill -9 of the pod that people are on; they resume on another.
func TestKilledPod(t *testing.T) {
	t.Parallel()
	pods := startPods(t, 2, redistest.Start(t).URL())
	ann, ben := newPerson(t, "ann", addrsOf(pods, 0)...), newPerson(t, "ben", addrsOf(pods, 0)...)
	cat := newPerson(t, "cat", pods[1].addr)
	const n = 300
	for i := range n {
		if i == n/2 {
			pods[0].kill() // with ann's posts in flight
		}
		ann.post(fmt.Sprint("k", i), fmt.Sprint("topic ", i%3), "hello")
	}
	for _, p := range []*person{ann, ben, cat} {
		p.settled(t, n)
		p.faultless(t)
	}
	storedOnce(t, pods[1].addr, ann)
	if got := len(history(t, pods[1].addr)); got != n {
		t.Errorf("%d messages in the log; want %d", got, n)
	}
	if ben.connects < 2 || cat.connects != 1 {
		t.Errorf("ben connected %d times, cat %d; want more than one and one", ben.connects, cat.connects)
	}
}

// TestRacingPosts: one key on two pods at the same moment is one message.
func TestRacingPosts(t *testing.T) {
	t.Parallel()
	pods := startPods(t, 2, redistest.Start(t).URL())
	for i := range 30 {
		body := fmt.Sprintf(`{"key":"race-%d","topic":"tea","name":"Ann","email":"ann@example.org","content":"x"}`, i)
		var answers [4]struct {
			ID, Time string
			status   int
		}
		var wg sync.WaitGroup
		for j := range answers {
			wg.Go(func() {
				resp, err := http.Post(pods[j%2].url("/api/v1/messages"), "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				answers[j].status = resp.StatusCode
				if err := json.NewDecoder(resp.Body).Decode(&answers[j]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		created := 0
		for _, a := range answers {
			if a.status == http.StatusCreated {
				created++
			}
			if a.ID == "" || a.ID != answers[0].ID || a.Time != answers[0].Time {
				t.Fatalf("key race-%d: %+v", i, answers)
			}
		}
		if created != 1 {
			t.Errorf("key race-%d was created %d times", i, created)
		}
	}
	if got := len(history(t, pods[0].addr)); got != 30 {
		t.Errorf("%d messages in the log; want 30", got)
	}
}

// TestCrowd: 50 posters and 50 readers over three pods; people disconnect at
// random. Every reader sees every acknowledged message once, in one order.
func TestCrowd(t *testing.T) {
	t.Parallel()
	pods := startPods(t, 3, redistest.Start(t).URL())
	const posters, readers, each, topics = 50, 50, 20, 7
	people := make([]*person, posters+readers)
	var arriving sync.WaitGroup
	for i := range people {
		arriving.Go(func() { people[i] = newPerson(t, fmt.Sprint("p", i), addrsOf(pods, i)...) })
	}
	arriving.Wait()
	var posting sync.WaitGroup
	for i, p := range people[:posters] {
		posting.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for j := range each {
				p.post(fmt.Sprintf("%s-%d", p.name, j), fmt.Sprint("topic ", random.IntN(topics)), "hello")
				if random.IntN(each) == 0 {
					p.mu.Lock()
					if p.conn != nil {
						p.conn.CloseNow()
					}
					p.mu.Unlock()
				}
			}
		})
	}
	posting.Wait()
	want := map[string][]string{} // topic → ids, as the log has them
	for _, p := range people {
		p.settled(t, posters*each)
		p.faultless(t)
	}
	storedOnce(t, pods[0].addr, people...)
	for _, m := range history(t, pods[1].addr) {
		want[m.Topic] = append(want[m.Topic], m.ID)
	}
	for _, p := range people {
		got := map[string][]string{}
		for _, m := range p.seen {
			got[m.Topic] = append(got[m.Topic], m.ID)
		}
		for topic, ids := range want {
			if strings.Join(got[topic], " ") != strings.Join(ids, " ") {
				t.Errorf("%s: topic %s: %d messages in another order or number than the log's %d", p.name, topic, len(got[topic]), len(ids))
			}
		}
	}
	until(t, "everybody counts everybody", func() bool {
		for _, p := range people {
			if !p.get(func() bool { return p.online == posters+readers }) {
				return false
			}
		}
		return true
	})
	// A pod that dies takes its people with it, from the count too: they have
	// come back to the others by then, so the count is right again.
	pods[2].kill()
	until(t, "the dead pod's count is forgotten", func() bool {
		return people[0].get(func() bool { return people[0].online == posters+readers }) &&
			people[2].get(func() bool { return people[2].online == posters+readers })
	})
}

// TestRedisAway: Redis is frozen, then killed; 10 s in all. Sockets stay, posts
// are refused as unavailable and stored once afterwards, pods stay ready.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	pods := startPods(t, 2, redis.URL())
	ann, ben := newPerson(t, "ann", pods[0].addr), newPerson(t, "ben", pods[1].addr)
	n := 0
	post := func() { n++; ann.post(fmt.Sprint("k", n), "tea", "hello") }
	for range 50 {
		post()
	}
	ben.settled(t, n)

	outage := time.Now()
	redis.Freeze()
	post()
	until(t, "a post is refused while Redis does not answer", func() bool {
		return ann.get(func() bool { return ann.unavailable > 0 })
	})
	redis.Thaw()
	redis.Kill()
	for time.Since(outage) < 10*time.Second {
		post()
		for _, p := range pods {
			if got := p.status("/readyz"); got != http.StatusOK {
				t.Fatalf("readyz is %d after %s; want 200 for 30 s", got, time.Since(outage))
			}
			if got := p.status("/healthz"); got != http.StatusOK {
				t.Fatalf("healthz is %d", got)
			}
		}
		time.Sleep(250 * time.Millisecond) // the outage has its length
	}
	late := newPerson(t, "late", pods[0].addr) // the page loads, and shows what this pod knows
	redis.Restart()

	for _, p := range []*person{ann, ben, late} {
		p.settled(t, n)
		p.faultless(t)
		if p.connects != 1 || p.closes != 0 {
			t.Errorf("%s connected %d times and was closed %d times; want 1 and 0", p.name, p.connects, p.closes)
		}
	}
	storedOnce(t, pods[1].addr, ann)
	if got := len(history(t, pods[1].addr)); got != n {
		t.Errorf("%d messages in the log; want %d", got, n)
	}
}

// TestRollingRestart: every pod drains under traffic, and another takes over.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	pods := startPods(t, 3, redistest.Start(t).URL())
	people := make([]*person, 12)
	for i := range people {
		people[i] = newPerson(t, fmt.Sprint("p", i), addrsOf(pods, i)...)
	}
	stop := make(chan struct{})
	var posting sync.WaitGroup
	for _, p := range people[:3] {
		posting.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					p.post(fmt.Sprintf("%s-%d", p.name, i), "tea", "hello")
				}
			}
		})
	}
	for _, p := range pods {
		if code := p.term(); code != 0 {
			t.Errorf("exit status %d after SIGTERM; want 0", code)
		}
		p.start()
		until(t, "the new pod is ready", func() bool { return p.status("/readyz") == http.StatusOK })
	}
	close(stop)
	posting.Wait()
	n := 0
	for _, p := range people[:3] {
		p.settled(t, 0)
		n += len(p.acked)
	}
	byes := 0
	for _, p := range people {
		p.settled(t, n)
		p.faultless(t)
		byes += p.byes
		if p.unavailable > 0 {
			t.Errorf("%s had %d posts refused", p.name, p.unavailable)
		}
	}
	if byes < len(people) {
		t.Errorf("%d byes for %d people; want each to hear one", byes, len(people))
	}
	storedOnce(t, pods[0].addr, people...)
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	help, err := exec.Command(binary, "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"listen", "admin-listen", "data", "redis-url", "name", "post-rate", "post-burst", "max-connections",
		"CHAT_LISTEN", "CHAT_ADMIN_LISTEN", "CHAT_DATA", "REDIS_URL", "CHAT_NAME", "CHAT_POST_RATE", "CHAT_POST_BURST", "CHAT_MAX_CONNECTIONS",
	} {
		if !bytes.Contains(help, []byte(name)) {
			t.Errorf("--help does not say %s", name)
		}
	}
	if out, err := exec.Command(binary, "--version").Output(); err != nil || !bytes.HasPrefix(out, []byte("chat ")) {
		t.Errorf("--version: %q, %v", out, err)
	}
}
