package redisstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A URL that is not written as it should be may have a password where the host
// stands, or a part of one. So nothing of what follows its scheme is ever in
// an error or in the log, and errors of the network, which name hosts, are put
// into other words.

// discreet is an error whose text names no host.
type discreet struct {
	text string
	err  error
}

func (e *discreet) Error() string { return e.text }
func (e *discreet) Unwrap() error { return e.err }

// withoutHosts gives err in words that name no host. Errors.Is and errors.As
// find in it what they find in err.
func withoutHosts(err error) error {
	if err == nil {
		return nil
	}
	if said, ok := errors.AsType[*discreet](err); ok && said == err {
		return err
	}
	if text := networkText(err); text != "" {
		return &discreet{text, err}
	}
	return err
}

// networkText says what the network's error in err is; "" if there is none.
func networkText(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "tls: the certificate is for another host"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsTimeout {
			return "look up the host: timeout"
		}
		return "look up the host: there is no such host"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		cause := "it failed"
		switch inner := e.Err.(type) {
		case *os.SyscallError:
			cause = inner.Err.Error()
		default:
			if e.Timeout() {
				cause = "timeout"
			} else if inner != nil && !strings.ContainsAny(inner.Error(), ":[") { // an address has one of these
				cause = inner.Error()
			}
		}
		return e.Op + ": " + cause
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return "the address is malformed"
	}
	return ""
}

// LogClient sends what the Redis client itself has to say to log at debug
// level, instead of to standard error: the kind of the message, and its errors
// without hosts. The client has one logger for the whole process, so this is
// for main to call, once, before Open.
func LogClient(log *slog.Logger) { redis.SetLogger(clientLog{log.With("component", "go-redis")}) }

type clientLog struct{ log *slog.Logger }

func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	if !l.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	shown := make([]any, len(v))
	for i, arg := range v {
		switch arg := arg.(type) {
		case error:
			shown[i] = hidden(networkText(arg))
		case int, int64, uint64, bool:
			shown[i] = arg
		default:
			shown[i] = hidden("")
		}
	}
	l.log.DebugContext(ctx, fmt.Sprintf(format, shown...))
}

// hidden is printed, by whichever verb, as a text or as three dots.
type hidden string

func (h hidden) Format(f fmt.State, _ rune) {
	text := string(h)
	if text == "" {
		text = "..."
	}
	_, _ = f.Write([]byte(text))
}
