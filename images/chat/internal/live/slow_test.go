package live

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/wire"
)

// patience ends a test that hangs; it is no measure of the server.
const patience = 30 * time.Second

// await polls until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("gave up waiting until", what)
		}
	}
}

// TestSlowReader has one client of three stop reading, on real sockets. The
// others get everything meanwhile; the slow one is closed, finds 4001 when it
// reads again, and resumes from the last cursor it saw without a loss.
func TestSlowReader(t *testing.T) {
	store := newMemStore(2)
	p := startTCP(t, store, Config{QueueBytes: 128 << 10})
	defer p.close()
	quick := []*client{p.join(`{"type":"hello","limit":0}`), p.join(`{"type":"hello","limit":0}`)}
	slow := p.connect()
	slow.say(`{"type":"hello","limit":0}`)
	slow.hear() // the welcome, and no more

	var want []string
	body := strings.Repeat("x", 3000)
	await(t, "three are online", func() bool { return p.Online() == 3 })
	gone := func() bool { return p.Online() == 2 }
	for n := 0; !gone(); n++ { // the kernel's buffers take some MiB first
		content := fmt.Sprint(n, " ", body)
		want = append(want, content)
		store.post(fmt.Sprint("k", n), fmt.Sprint("topic-", n%5), content)
		if n%20 == 0 { // what one batch brings is less than a queue
			await(t, "the others have everything", func() bool { return quick[0].count() == len(want) && quick[1].count() == len(want) })
		}
		if n > 20_000 {
			t.Fatal("a client that reads nothing is still there")
		}
	}
	for i := range 50 { // and the others go on
		content := fmt.Sprint("after ", i)
		want = append(want, content)
		store.post(content, "tea", content)
	}
	await(t, "the others have everything", func() bool { return quick[0].count() == len(want) && quick[1].count() == len(want) })

	if err := slow.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for slow.hear() {
	}
	if e := slow.got("close"); e[0].code != 4001 {
		t.Errorf("the slow reader finds %d; want 4001", e[0].code)
	}
	seen := slow.count()
	if seen == 0 || seen == len(want) {
		t.Errorf("the slow reader got %d of %d messages before its close", seen, len(want))
	}
	again := p.join(fmt.Sprintf(`{"type":"hello","cursor":%q}`, slow.cursor()))
	await(t, "the slow reader has everything", func() bool { return seen+again.count() >= len(want) })
	if w := again.got("welcome"); !w[0].frame.Recovered {
		t.Error("not recovered")
	}
	for name, got := range map[string][]string{
		"quick 0": quick[0].list(), "quick 1": quick[1].list(), "slow": append(slow.list(), again.list()...),
	} {
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) {
			t.Errorf("%s: %d messages; want %d, each once", name, len(got), len(want))
		}
	}
	for _, c := range append(quick, again) {
		c.leave()
	}
}

// TestSlowReaderWithNoRoomAtAll cannot even be told, for nothing is taken from
// its socket: it is dropped all the same, by goodbye's deadlines.
func TestSlowReaderWithNoRoomAtAll(t *testing.T) {
	bubble(t, 1, Config{QueueBytes: 16 << 10}, func(t *testing.T, p *pod, store *memStore) {
		c := p.connect() // a pipe has no buffer
		c.say(`{"type":"hello","limit":0}`)
		c.hear()
		c.hear()
		for i := range 10 {
			store.post(fmt.Sprint("k", i), "tea", strings.Repeat("x", 3000))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if n := p.Online(); n != 0 {
			t.Error("still there 5 s after its queue was exceeded")
		}
		if code := closeCode(c); code != websocket.CloseAbnormalClosure {
			t.Errorf("closed with %d", code)
		}
	})
}

func closeCode(c *client) int {
	for c.hear() {
	}
	return c.got("close")[0].code
}

// count is how many messages were delivered.
func (c *client) count() int { return len(c.list()) }

func (c *client) list() (contents []string) {
	for _, e := range c.got("welcome", "messages") {
		for _, m := range e.frame.Messages {
			contents = append(contents, m.Content)
		}
	}
	return contents
}

// TestOneGoroutineEach counts goroutines over 200 idle connections. The
// clients are bare sockets, which have none.
func TestOneGoroutineEach(t *testing.T) {
	const n = 200
	store := newMemStore(1)
	p := startTCP(t, store, Config{})
	defer p.close()
	base := quiet(t)
	var conns []net.Conn
	head := make([]byte, 4096)
	for range n {
		conn, err := p.dial()
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		if _, err := io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		// The answer to the upgrade; a frame cannot come before hello.
		if m, err := conn.Read(head); err != nil || !strings.HasSuffix(string(head[:m]), "\r\n\r\n") {
			t.Fatalf("answer %q, %v", head[:m], err)
		}
		hello := `{"type":"hello"}`
		if _, err := conn.Write(append([]byte{0x81, 0x80 | byte(len(hello)), 0, 0, 0, 0}, hello...)); err != nil { // a mask of zeros
			t.Fatal(err)
		}
	}
	for _, conn := range conns { // presence is the last of what a hello is answered with
		for got := ""; !strings.Contains(got, `"presence"`); {
			m, err := conn.Read(head)
			if err != nil {
				t.Fatalf("after %q: %v", got, err)
			}
			got += string(head[:m])
		}
	}
	if got := quiet(t) - base; got != n {
		t.Errorf("%d goroutines for %d idle connections; want one each", got, n)
	}
	for _, conn := range conns {
		conn.Close()
	}
	await(t, "all are gone", func() bool { return p.Online() == 0 })
	if got := quiet(t) - base; got > 0 {
		t.Errorf("%d goroutines are left of %d connections", got, n)
	}
}

// quiet waits until the number of goroutines stays the same, and gives it.
func quiet(t *testing.T) int {
	t.Helper()
	last, same := 0, 0
	await(t, "the number of goroutines stays the same", func() bool {
		if n := runtime.NumGoroutine(); n != last {
			last, same = n, 0
		}
		same++
		return same > 30
	})
	return last
}

// TestMoreThanAQueueAtOnce appends a batch that is several times what may wait
// for a reader. Readers that keep up get it, and the next ones, on the
// connection that they have.
func TestMoreThanAQueueAtOnce(t *testing.T) {
	store := newMemStore(1)
	p := startTCP(t, store, Config{QueueBytes: 16 << 10})
	defer p.close()
	readers := []*client{p.join(`{"type":"hello","limit":0}`), p.join(`{"type":"hello","limit":0,"topics":["tea"]}`)}
	await(t, "both are welcomed", func() bool { return len(readers[0].got("welcome")) == 1 && len(readers[1].got("welcome")) == 1 })
	const batches, each = 5, 100
	for n := range batches {
		var events []chat.Event
		for i := range each {
			events = append(events, chat.NewEvent(chat.Draft{
				Key: fmt.Sprint("k", n, "-", i), Topic: "tea", Name: "Ann", Email: "ann@example.org", Content: strings.Repeat("x", 1000),
			}))
		}
		store.append(0, events)
		await(t, "everybody has everything", func() bool {
			for _, c := range readers {
				if len(c.got("close")) > 0 {
					t.Fatalf("a reader that keeps up was closed: %+v", c.got("close"))
				}
			}
			return readers[0].count() == (n+1)*each && readers[1].count() == (n+1)*each
		})
	}

	for _, c := range readers {
		c.leave()
	}

	o := &outbox{flushing: true} // as if a write were under way, for long
	o.init(nil, 1000, NewMetrics(prometheus.NewRegistry()))
	frame := &wire.Frame{Text: make([]byte, 5000)}
	o.Deliver(frame)
	if len(o.frames) != 1 {
		t.Error("a frame larger than the queue was not taken, though nothing waited")
	}
	if !o.deliveries.Over() {
		t.Error("what waits is not counted")
	}
}
