package load

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestStamps: what lay in the kernel's buffer for a while is known to have come
// then, and not when it was read; errors and the end are those of a connection.
func TestStamps(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := stamped(dialled)
	defer conn.Close()
	from, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, known := arrived(conn); known {
		t.Error("nothing was read, and its instant is known")
	}
	buf := make([]byte, 64)
	// The kernel begins to stamp a moment after it is asked to.
	for tries := 0; ; tries++ {
		if _, err := io.WriteString(from, "frame"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			t.Fatal(err)
		}
		if _, known := arrived(conn); known {
			break
		}
		if tries == 500 {
			t.Fatal("the kernel stamps nothing")
		}
		time.Sleep(10 * time.Millisecond)
	}
	const lay = 200 * time.Millisecond
	for range 3 {
		before := nowUS()
		if _, err := io.WriteString(from, "frame"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lay)
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != "frame" {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		ago, known := arrived(conn)
		if !known || ago < lay.Microseconds()*9/10 || nowUS()-ago < before-1000 {
			t.Errorf("arrived %d µs ago, known %v: it lay for %v, and was sent at %d", ago, known, lay, before)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(buf); describe(err) != "timeout" {
		t.Errorf("past the deadline: %v", err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	from.Close()
	if _, err := conn.Read(buf); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if _, known := arrived(dialled); known {
		t.Error("a connection without stamps has one")
	}
}
