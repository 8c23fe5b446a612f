package redisstore

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"chatapp/chat/internal/trouble"
)

// failure is an error of Redis, or of the network, with its cause. Error gives
// the text of the error, Reason words for people who post.
type failure struct {
	error
	cause trouble.Cause
}

func (f *failure) Unwrap() error { return f.error }

// Reason says what the log does, in words for anybody: "is full".
func (f *failure) Reason() string { return f.cause.Reason }

// reasons are the codes of Redis, and ours, in words for anybody.
var reasons = map[string]string{
	codeNetwork:   "cannot be reached",
	codeReplicas:  "has too few replicas that confirm",
	codeReplaced:  "is changing its master",
	codeForm:      "holds what this version cannot read",
	codePool:      "is asked too much at once",
	"OOM":         "is full",
	"MISCONF":     "cannot write to its disk",
	"BUSY":        "is busy with somebody's script",
	"NOPERM":      "does not give this server the rights it needs",
	"NOAUTH":      "asks for a password that this server does not have",
	"WRONGPASS":   "does not take this server's password",
	"READONLY":    "takes no writes: it is a replica",
	"NOREPLICAS":  "has too few replicas to write",
	"LOADING":     "is loading its data",
	"MASTERDOWN":  "has no master",
	"CLUSTERDOWN": "has no master for this part",
	"TRYAGAIN":    "is moving this part",
	"MOVED":       "is moving this part",
	"ASK":         "is moving this part",
	"MAXCLIENTS":  "has too many connections",
}

// Codes of our own, beside the first words of Redis's errors.
const (
	codeNetwork  = "NETWORK"  // no answer
	codeReplicas = "REPLICAS" // errFewReplicas
	codeReplaced = "REPLACED" // errReplaced
	codeForm     = "FORM"     // formError
	codePool     = "POOL"     // no connection was free
	codeOther    = "ERR"      // Redis's own word for errors without a code
)

// causeOf says why an access failed.
func causeOf(err error) trouble.Cause {
	code := codeOf(err)
	reason, known := reasons[code]
	if !known {
		reason = "refuses it"
	}
	return trouble.Cause{Code: code, Reason: reason}
}

func codeOf(err error) string {
	if _, ours := errors.AsType[*formError](err); ours {
		return codeForm
	}
	switch {
	case errors.Is(err, errFewReplicas):
		return codeReplicas
	case errors.Is(err, errReplaced):
		return codeReplaced
	case errors.Is(err, errMoving):
		return "TRYAGAIN"
	case errors.Is(err, errNoMaster):
		return "CLUSTERDOWN"
	case errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return codePool
	case !answered(err):
		return codeNetwork
	}
	said, _ := errors.AsType[redis.Error](err)
	text := said.Error()
	word, _, _ := strings.Cut(text, " ")
	switch {
	case strings.Contains(text, "max number of clients"):
		return "MAXCLIENTS"
	case strings.Contains(text, "non local key"): // of an inner command, to a key that is not there yet
		return "TRYAGAIN"
	case strings.Contains(text, "executing the script"): // of an inner command, without a code
		return "NOPERM"
	case word == "" || len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return codeOther
	}
	return word
}

// answered reports whether an error is Redis's own answer.
func answered(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said
}

// passing reports whether an error may be gone at the next try: the network's,
// and those of a Redis that starts, fails over or lacks its replicas.
func passing(err error) bool {
	if errors.Is(err, errClosed) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	switch codeOf(err) {
	case codeNetwork, codeReplicas, codeReplaced, codePool, "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN",
		"TRYAGAIN", "NOREPLICAS", "MOVED", "ASK", "UNBLOCKED", "NOSCRIPT", "MAXCLIENTS":
		return true
	}
	return false
}
