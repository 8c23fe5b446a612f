// Footprint measures what one connection and one delivery cost a chat server,
// with the server in a process of its own, and has a server to compare with.
//
//	footprint serve                          the comparison: see baseline.go
//	footprint measure PID URL [flags]        prints one JSON object
//
// Memory is the growth of the server's resident set per idle connection.
// Processor time is that of the server's process, user and system, from
// /proc/PID/stat, per message and connection delivered to; the kernel's work
// for the socket writes is in it, the clients' is not. Linux only.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve()
	case len(os.Args) >= 4 && os.Args[1] == "measure":
		pid, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal("measure: PID must be a number")
		}
		flags := flag.NewFlagSet("measure", flag.ExitOnError)
		connections := flags.Int("connections", 1000, "idle, then receiving, connections")
		messages := flags.Int("messages", 320, "messages posted in each of the two loads")
		burst := flags.Int("burst", 16, "messages posted together in the second load")
		greeted := flags.Bool("greeted", false, "the server answers a hello with a frame: wait for it before the next connects")
		_ = flags.Parse(os.Args[4:])
		out, err := measure(pid, os.Args[3], *connections, *messages, *burst, *greeted)
		if err != nil {
			log.Fatal(err)
		}
		_ = json.NewEncoder(os.Stdout).Encode(out)
	default:
		log.Fatal("usage: footprint serve | footprint measure PID URL [flags]")
	}
}

// figures is what measure prints.
type figures struct {
	Connections    int     `json:"connections"`
	BytesPerIdle   float64 `json:"bytes_per_idle_connection"`
	Messages       int     `json:"messages"`
	Burst          int     `json:"burst"`
	TrickleMicros  float64 `json:"cpu_us_per_delivery_trickle"`
	BurstMicros    float64 `json:"cpu_us_per_delivery_burst"`
	MessageBytes   int     `json:"message_bytes"`
	DeliveriesEach int64   `json:"deliveries_each_load"`
}

// content of every message: 200 bytes.
var content = strings.Repeat("0123456789", 20)

// crowd is the receiving connections; received counts messages over all of them.
type crowd struct {
	greeted  bool // the server answers a hello
	received atomic.Int64
	conns    []*websocket.Conn
}

// measure opens the connections, waits until the server is at rest, and then
// posts: one message at a time with a pause (trickle), then bursts.
func measure(pid int, url string, connections, messages, burst int, greeted bool) (*figures, error) {
	out := &figures{Connections: connections, Messages: messages, Burst: burst, MessageBytes: len(content)}
	c := crowd{greeted: greeted}
	poster, err := dial(url)
	if err != nil {
		return nil, err
	}
	defer poster.Close()
	go c.read(poster, false)
	// The first connections make the server's own pools; they are not counted.
	for range 100 {
		if err := c.join(url); err != nil {
			return nil, err
		}
	}
	before, err := resident(pid)
	if err != nil {
		return nil, err
	}
	for range connections - 100 {
		if err := c.join(url); err != nil {
			return nil, err
		}
	}
	after, err := resident(pid)
	if err != nil {
		return nil, err
	}
	out.BytesPerIdle = float64(after-before) / float64(connections-100)

	posted := 0
	load := func(together int, pause time.Duration) (float64, error) {
		want := c.received.Load() + int64(messages*connections)
		start, err := processor(pid)
		if err != nil {
			return 0, err
		}
		for sent := 0; sent < messages; {
			for range together {
				if err := post(poster, posted); err != nil {
					return 0, err
				}
				posted++
				sent++
			}
			time.Sleep(pause)
		}
		for deadline := time.Now().Add(60 * time.Second); c.received.Load() < want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				return 0, fmt.Errorf("%d of %d deliveries came", c.received.Load(), want)
			}
		}
		end, err := processor(pid)
		return float64((end - start).Microseconds()) / float64(messages*connections), err
	}
	if out.TrickleMicros, err = load(1, 30*time.Millisecond); err != nil {
		return nil, err
	}
	if out.BurstMicros, err = load(burst, 200*time.Millisecond); err != nil {
		return nil, err
	}
	out.DeliveriesEach = int64(messages * connections)
	for _, one := range c.conns {
		one.Close()
	}
	return out, nil
}

// dial connects and says hello, which the comparison ignores.
func dial(url string) (*websocket.Conn, error) {
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	return conn, conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","limit":0}`))
}

func (c *crowd) join(url string) error {
	conn, err := dial(url)
	if err != nil {
		return err
	}
	c.conns = append(c.conns, conn)
	if c.greeted {
		if _, _, err := conn.ReadMessage(); err != nil {
			return err
		}
	}
	go c.read(conn, true)
	return nil
}

// read counts the messages in each frame by the content that only they have.
func (c *crowd) read(conn *websocket.Conn, count bool) {
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if count {
			c.received.Add(int64(strings.Count(string(frame), content)))
		}
	}
}

func post(conn *websocket.Conn, n int) error {
	return conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil,
		`{"type":"post","key":"k%d","topic":"footprint","name":"Ann Example","email":"ann@example.org","content":"%s"}`, n, content))
}

// resident gives the process's resident set in bytes once it has been the same,
// to 1 %, for two seconds: the collector has had its turn.
func resident(pid int) (int64, error) {
	last := int64(0)
	for range 15 {
		time.Sleep(2 * time.Second)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(status), "VmRSS:")
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return 0, err
		}
		now := kib << 10
		if diff := now - last; diff < now/100 && -diff < now/100 {
			return now, nil
		}
		last = now
	}
	return last, nil
}

// processor gives the processor time that the process has used.
func processor(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name may hold anything; the fields after it start behind its bracket.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ is 100 on Linux
}
