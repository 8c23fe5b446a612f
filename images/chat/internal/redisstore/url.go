package redisstore

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// form is how Redis is set up.
type form int

const (
	formSingle form = iota
	formSentinel
	formCluster
)

// target is what a URL says.
type target struct {
	form           form
	addrs          []string // of Redis, or of the sentinels
	master         string   // Sentinel's name for the master
	db             int
	user, password string
	sentinelUser   string
	sentinelPass   string
	tls            bool
}

// errURL says what is wrong with a URL and repeats nothing of it: a password
// may stand anywhere in one that is malformed.
func errURL(what string) error {
	return fmt.Errorf("redis url: %s; write redis://[user:password@]host:port/db, "+
		"redis+sentinel://[user:password@]host:port,host:port/MASTER/db or redis+cluster://[user:password@]host:port,host:port "+
		"(rediss for TLS); percent-encode what is not a letter or a digit in user and password", what)
}

// parseURL reads the three forms of the package comment. It stands in place of
// redis.ParseURL and the like, which have no form for Sentinel of their own,
// take the options of the client for ours, and repeat the URL in errors.
func parseURL(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return target{}, errURL("it has no scheme")
	}
	t := target{tls: strings.HasPrefix(scheme, "rediss")}
	port := "6379"
	switch strings.Replace(scheme, "rediss", "redis", 1) {
	case "redis":
	case "redis+sentinel":
		t.form, port = formSentinel, "26379"
	case "redis+cluster":
		t.form = formCluster
	default:
		return target{}, errURL("the scheme is not one of redis, redis+sentinel, redis+cluster, rediss, rediss+sentinel, rediss+cluster")
	}
	// net/url reads everything but lists of hosts.
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if !strings.Contains(authority, "@") && strings.Contains(path, "@") {
		return target{}, errURL("there is an @, but after the first /, ? or #")
	}
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	u, err := url.Parse("redis://" + strings.TrimSuffix(authority, hosts) + "host" + path)
	if err != nil {
		return target{}, errURL("the user, password, path or query is malformed")
	}
	t.user = u.User.Username()
	t.password, _ = u.User.Password()

	for host := range strings.SplitSeq(hosts, ",") {
		addr, err := address(host, port)
		if err != nil {
			return target{}, err
		}
		t.addrs = append(t.addrs, addr)
	}
	if t.form == formSingle && len(t.addrs) > 1 {
		return target{}, errURL("several hosts need redis+sentinel or redis+cluster")
	}
	if u.Fragment != "" {
		return target{}, errURL("a # is not allowed")
	}

	path = strings.Trim(u.Path, "/")
	if t.form == formSentinel {
		t.master, path, _ = strings.Cut(path, "/")
		if t.master == "" {
			return target{}, errURL("the name of the master is missing after the sentinels")
		}
	}
	if path != "" {
		if t.db, err = strconv.Atoi(path); err != nil || t.db < 0 {
			return target{}, errURL("the database is not a number of 0 or more")
		}
	}
	if t.form == formCluster && t.db != 0 {
		return target{}, errURL("a cluster has no database but 0")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, errURL("the query is malformed")
	}
	for name, values := range query {
		switch {
		case t.form == formSentinel && name == "sentinel_user":
			t.sentinelUser = values[0]
		case t.form == formSentinel && name == "sentinel_password":
			t.sentinelPass = values[0]
		default:
			return target{}, errURL("there is a parameter that is not known; the Sentinel form has sentinel_user and sentinel_password")
		}
	}
	return t, nil
}

// address completes host[:port].
func address(s, defaultPort string) (string, error) {
	host, port := s, defaultPort
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		host = s[1 : len(s)-1]
	} else if strings.Contains(s, ":") {
		return "", errURL("there is what is not a host and port")
	}
	if n, err := strconv.Atoi(port); host == "" || strings.ContainsAny(host, "[]") || err != nil || n < 1 || n > 65535 {
		return "", errURL("there is what is not a host and port")
	}
	return net.JoinHostPort(host, port), nil
}
