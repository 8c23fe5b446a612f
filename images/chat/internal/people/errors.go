package people

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"chatapp/chat/internal/chat"
)

func refusal(code chat.Code, format string, args ...any) error {
	return &chat.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// forbidden is the error for an account that may not do something.
func forbidden(text string) error {
	return &chat.Error{Code: chat.CodeUnauthorised, Message: text, Cause: ErrForbidden}
}

// ErrSignIn is the cause of errors that signing in, or in again, would mend.
var ErrSignIn = errors.New("not signed in")

// signIn is the error for whoever is not signed in, or could not be.
func signIn(text string) error {
	return &chat.Error{Code: chat.CodeUnauthorised, Message: text, Cause: ErrSignIn}
}

// notFound is the answer about things that do not exist, and about things that
// this account may not see.
func notFound() error { return refusal(chat.CodeNotFound, "there is no such thing here") }

// retryAfter is when to try again while the directory can't be reached.
const retryAfter = time.Second

// failed turns an error of the directory into one for the person who asked.
func failed(err error) error {
	var said *chat.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return err
	case errors.Is(err, ErrNone):
		return notFound()
	case errors.Is(err, ErrForbidden):
		return forbidden("that is for the creator of the room")
	case errors.Is(err, ErrNotMember):
		return refusal(chat.CodeBadMessage, "creator: that account is no member of the room")
	}
	return &chat.Error{
		Code: chat.CodeUnavailable, Message: "accounts and rooms cannot be reached; try again",
		RetryAfter: retryAfter, Cause: err,
	}
}

func badName(field string, limit int) error {
	return refusal(chat.CodeBadMessage, "%s: send 1 to %d visible characters on one line", field, limit)
}

// errToken is the answer to a token that is not known, or not any more.
func errToken() error {
	return signIn("you are not signed in (any more): sign in")
}

func errCurrent() error { return forbidden("current_password: it is wrong") }

// confirmed is failed for a change that a password has confirmed. Meanwhile the
// password may have changed, or the account may be gone.
func confirmed(err error) error {
	switch {
	case errors.Is(err, ErrStale):
		return errCurrent()
	case errors.Is(err, ErrNone):
		return errToken()
	}
	return failed(err)
}

// unknown is failed that names the addresses of an *UnknownAddresses as they
// were sent.
func unknown(err error, sent []string) error {
	u, ok := errors.AsType[*UnknownAddresses](err)
	if !ok {
		return failed(err)
	}
	e := &chat.Error{Code: chat.CodeBadMessage, Message: "some addresses have no account here; see unknown"}
	for _, address := range sent {
		if slices.Contains(u.Addresses, chat.FoldAddress(address)) && !slices.Contains(e.Unknown, address) {
			e.Unknown = append(e.Unknown, address)
		}
	}
	return e
}
