package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"chatapp/chat/internal/chat"
)

// Origins says which pages, beside the server's own, a browser may use the
// chat from. The zero value is none.
type Origins struct {
	any      bool
	exact    []string // as browsers write them: scheme://host, :port unless it is the scheme's own
	patterns []pattern
}

// pattern is every host under a domain, with one scheme and port.
type pattern struct {
	prefix string // "https://"
	suffix string // ".example.org", ".example.org:8443"
}

// UnmarshalText is ParseOrigins, for settings.
func (o *Origins) UnmarshalText(list []byte) (err error) {
	*o, err = ParseOrigins(string(list))
	return err
}

// ParseOrigins reads origins such as https://example.org, https://*.example.org
// (every host under it, not itself) and "*" (any), separated by commas. What
// could never match a browser's Origin header is an error.
func ParseOrigins(list string) (Origins, error) {
	var o Origins
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		switch one {
		case "":
			continue
		case "*":
			o.any = true
			continue
		}
		origin, err := parseOrigin(one)
		if err != nil {
			return Origins{}, fmt.Errorf("%q is not an origin such as https://example.org or https://*.example.org: %w", one, err)
		}
		if scheme, rest, wild := strings.Cut(origin, "*"); wild {
			o.patterns = append(o.patterns, pattern{scheme, rest})
		} else {
			o.exact = append(o.exact, origin)
		}
	}
	return o, nil
}

// parseOrigin gives an origin, or a pattern of origins, as browsers write it.
func parseOrigin(s string) (string, error) {
	scheme, rest, found := strings.Cut(strings.ToLower(s), "://")
	defaultPort, known := map[string]string{"http": "80", "https": "443"}[scheme]
	if !found || !known {
		return "", errors.New("it begins with http:// or https://")
	}
	name, wild := strings.CutPrefix(rest, "*.")
	u, err := url.Parse(scheme + "://" + name)
	if err != nil || u.Host != name || u.Hostname() == "" {
		return "", errors.New("after the scheme come a host and perhaps a port, nothing else")
	}
	host, port := u.Hostname(), u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return "", errors.New("the port is missing")
	}
	ip, notIP := netip.ParseAddr(host)
	switch {
	case strings.Contains(host, "*"):
		return "", errors.New("a * stands for the first labels of a host, or alone for any origin")
	case wild && notIP == nil:
		return "", errors.New("a * does not go with an IP address")
	case notIP == nil:
		host = ip.String()
	case strings.IndexFunc(host, func(r rune) bool { return !hostRune(r) }) >= 0:
		return "", errors.New("browsers write such a host in ASCII (xn--...)")
	}
	if wild {
		host = "*." + host
	}
	if port != "" && port != defaultPort {
		return scheme + "://" + net.JoinHostPort(host, port), nil
	}
	if ip.Is6() {
		host = "[" + host + "]"
	}
	return scheme + "://" + host, nil
}

func hostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_'
}

// listed reports whether an Origin header names one of the origins.
func (o Origins) listed(origin string) bool {
	origin = strings.ToLower(origin)
	if o.any || slices.Contains(o.exact, origin) {
		return true
	}
	return slices.ContainsFunc(o.patterns, func(p pattern) bool {
		middle, ok := strings.CutPrefix(origin, p.prefix)
		if !ok {
			return false
		}
		middle, ok = strings.CutSuffix(middle, p.suffix)
		return ok && middle != "" && strings.IndexFunc(middle, func(r rune) bool { return !hostRune(r) }) < 0
	})
}

// allowed reports whether the page that makes a request may change something,
// or open a socket. A client that is no browser may: it sends neither header.
func (o Origins) allowed(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case site == "same-origin", site == "none", origin == "" && site == "":
		return true
	case origin == "":
		return false
	}
	return ownHost(origin, r.Host) || o.listed(origin)
}

// ownHost reports whether an origin is the host that was asked for, whatever
// the ports: proxies drop and change them.
func ownHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return false
	}
	asked := (&url.URL{Host: host}).Hostname()
	return strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), strings.TrimSuffix(asked, "."))
}

// What pages of listed origins may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, If-None-Match"
	corsExposed = "Etag, Retry-After"
	corsMaxAge  = "600" // seconds
)

// crossOrigin answers CORS for the listed origins. It refuses requests of pages
// of any other origin that would change something or open a socket. It does not
// refuse reading: without CORS the browser does not show the answer to that
// page.
func (o Origins) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		origin := r.Header.Get("Origin")
		switch {
		case o.any:
			h.Set("Access-Control-Allow-Origin", "*")
		case len(o.exact)+len(o.patterns) > 0:
			h.Add("Vary", "Origin")
			if origin != "" && o.listed(origin) {
				h.Set("Access-Control-Allow-Origin", origin)
			}
		}
		cors := h.Get("Access-Control-Allow-Origin") != ""
		if cors {
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
		if r.Method == http.MethodOptions && origin != "" && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
			if cors {
				h.Set("Access-Control-Allow-Methods", corsMethods)
				h.Set("Access-Control-Allow-Headers", corsHeaders)
				h.Set("Access-Control-Max-Age", corsMaxAge)
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if (!reads || r.URL.Path == socketPath) && !o.allowed(r) {
			writeProblem(w, http.StatusForbidden, &chat.Error{Code: chat.CodeUnauthorised, Message: "pages of this origin may not use this server: see --allow-origin"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
