package redisstore

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url  string
		want target
	}{
		{"redis://localhost", target{addrs: []string{"localhost:6379"}}},
		{"redis://localhost:7000/3", target{addrs: []string{"localhost:7000"}, db: 3}},
		{"redis://[::1]:7000/", target{addrs: []string{"[::1]:7000"}}},
		{"redis://[::1]", target{addrs: []string{"[::1]:6379"}}},
		{"redis://:p%40ss%2F@h:1/0", target{addrs: []string{"h:1"}, password: "p@ss/"}},
		{"rediss://ann:secret@h:1", target{addrs: []string{"h:1"}, user: "ann", password: "secret", tls: true}},
		{"redis+sentinel://a,b:1,c/main", target{form: formSentinel, addrs: []string{"a:26379", "b:1", "c:26379"}, master: "main"}},
		{"redis+sentinel://u:p@a,[::1]:5/main/2?sentinel_user=su&sentinel_password=s%26p", target{
			form: formSentinel, addrs: []string{"a:26379", "[::1]:5"}, master: "main", db: 2,
			user: "u", password: "p", sentinelUser: "su", sentinelPass: "s&p",
		}},
		{"rediss+cluster://u:p@a:1,b:2", target{form: formCluster, addrs: []string{"a:1", "b:2"}, user: "u", password: "p", tls: true}},
		{"redis+cluster://a/0", target{form: formCluster, addrs: []string{"a:6379"}}},
	} {
		got, err := parseURL(c.url)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.url, got, err, c.want)
		}
	}
	for _, c := range []struct{ url, says string }{
		{"", "no scheme"},
		{"localhost:6379", "no scheme"},
		{"http://u:hunter2@localhost", "scheme is not one of"},
		{"redis://", "not a host"},
		{"redis://u:hunter2@", "not a host"},
		{"redis://h:port", "not a host"},
		{"redis://h:0", "not a host"},
		{"redis://::1:5", "not a host"},
		{"redis://u:hunter2@a,b", "several hosts"},
		{"redis://u:hunter2@h/x", "database"},
		{"redis://h/-1", "database"},
		{"redis://u:hunter2%zz@h", "malformed"},
		{"redis://h?read_timeout=3s", "read_timeout"},
		{"redis://h/0#x", "#"},
		{"redis+sentinel://a,b", "name of the master"},
		{"redis+sentinel://a,,b/m", "not a host"},
		{"redis+cluster://a/1", "no database"},
		{"redis+cluster://a?sentinel_user=x", "sentinel_user"},
	} {
		_, err := parseURL(c.url)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "redis+cluster://") {
			t.Errorf("%q: error %v, want one about %q that says what to write", c.url, err, c.says)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error repeats the password: %v", c.url, err)
		}
	}
}

func TestOpenChecksOptions(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		says string
	}{
		{Options{URL: "redis://h", Partitions: 257}, "partitions: 257"},
		{Options{URL: "redis://h", Partitions: -1}, "partitions: -1"},
		{Options{URL: "redis://h", MinReplicas: 17}, "min replicas: 17"},
		{Options{URL: "redis://h", MinReplicas: -2}, "min replicas: -2"},
		{Options{URL: "redis://h", KeyPrefix: "a{b}"}, "key prefix"},
	} {
		s, err := Open(c.opt)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, want one about %q", c.opt, err, c.says)
		}
		if s != nil {
			s.Close()
		}
	}
	for url, want := range map[string][2]int{
		"redis://127.0.0.1:1": {1, 0}, "redis+sentinel://127.0.0.1:1/m": {1, 1}, "redis+cluster://127.0.0.1:1": {clusterPartitions, 1},
	} {
		s, err := Open(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]int{s.Partitions(), s.opt.MinReplicas}; got != want {
			t.Errorf("%s: partitions and replicas are %v by default, want %v", url, got, want)
		}
		s.Close()
	}
}

// The relations between constants that the comments state.
func TestConstants(t *testing.T) {
	if tailSlice+tailGrace >= 1e9 {
		t.Error("a wait must end within a second of being cancelled")
	}
	if replicaWait+answerMargin >= tryTimeout || answerTimeout < tryTimeout {
		t.Error("WAIT must be over before its try is, and the try before the connection gives up")
	}
	if patienceHA <= tryTimeout {
		t.Error("a try that hangs must leave time for one more")
	}
}
