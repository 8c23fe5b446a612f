package chat

import (
	"context"
	"errors"
	"time"
)

// Code is the machine-readable kind of an error, the same in WebSocket frames
// and HTTP problems.
type Code string

// The codes of the wire contract. Only CodeRateLimited, CodeUnavailable and
// CodeInternal are worth a retry, with the same key.
const (
	CodeBadFrame     Code = "bad_frame"
	CodeBadMessage   Code = "bad_message"
	CodeTooLarge     Code = "too_large"
	CodeRateLimited  Code = "rate_limited"
	CodeUnavailable  Code = "unavailable"
	CodeUnauthorised Code = "unauthorised"
	CodeNotFound     Code = "not_found"
	CodeInternal     Code = "internal"
	CodeConflict     Code = "conflict" // over HTTP alone
)

// Error is an error that the person at the other end may read: Message says
// what is wrong and what to do. Cause, if any, is for the server's log alone.
type Error struct {
	Code       Code
	Message    string
	RetryAfter time.Duration // 0: not said
	Topics     []string      // of an error about topics: those that are not there
	Unknown    []string      // of an error about addresses: those without account
	Cause      error

	// Of a filter that cannot be read: the character, from 1, and what was
	// expected there, in words. At is 0 in every other error.
	At       int
	Expected string
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return string(e.Code) + ": " + e.Message + ": " + e.Cause.Error()
	}
	return string(e.Code) + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// AsError gives the *Error within err; any other error becomes CodeInternal.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeInternal, Message: "the server failed; try again with the same key", Cause: err}
}

// Failure is an error of a store that knows what is the matter.
type Failure interface {
	error
	// Reason is what the store does, in words for anybody: "is full".
	Reason() string
}

// Unavailable is the answer when the log refuses, cannot be reached, or has not
// said what became of a call. Nothing was acknowledged, so the client may send
// the same key again. The message says why, as far as cause tells.
func Unavailable(cause error) *Error {
	what := "the message log cannot be reached"
	var known Failure
	switch {
	case errors.As(cause, &known):
		what = "the message log " + known.Reason()
	case errors.Is(cause, errClosed):
		what = "the server is closing"
	case errors.Is(cause, errQueueFull):
		what = "too much waits for the message log"
	case errors.Is(cause, context.DeadlineExceeded):
		what = "the message log has not answered in time"
	}
	return &Error{
		Code: CodeUnavailable, Message: what + "; try again with the same key",
		RetryAfter: time.Second, Cause: cause,
	}
}

// Why something was not even tried.
var (
	errClosed    = errors.New("the server is closing")
	errQueueFull = errors.New("the queue of the log is full")
)

func badMessage(text string) *Error { return &Error{Code: CodeBadMessage, Message: text} }

// NoTopics is the answer about topics that the caller does not see.
func NoTopics(names []string) *Error {
	return &Error{Code: CodeNotFound, Message: "topics: some are not there; see topics", Topics: names}
}

// noTopic is the answer about a topic that the caller does not see: in the
// same words whether or not it exists.
func noTopic() *Error {
	return &Error{Code: CodeNotFound, Message: "topic: there is none of this name"}
}

// errGone is the answer about a message that the caller does not see: in the
// same words whether or not it exists.
func errGone() *Error {
	return &Error{Code: CodeNotFound, Message: "id: there is no such message here (any more)"}
}

func noParent() *Error {
	return &Error{Code: CodeNotFound, Message: "reply_to: there is no such message in this topic (any more)"}
}
