// Package people knows who is speaking: accounts, the tokens of those signed
// in, private rooms and their members, saved filters. It holds the rules
// (Service), what this process keeps of them for its open connections (View),
// and the contract of what keeps them (Directory). It knows neither HTTP nor
// frames.
package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"chatapp/chat/internal/chat"
)

// Service is the use cases of accounts, rooms and saved filters over a
// Directory. Its errors are for the person who asked: *chat.Error all. It is
// safe for use by many goroutines.
type Service struct {
	dir     Directory
	view    *View
	hasher  *Hasher
	options Options
}

// Options of a Service.
type Options struct {
	// RegistrationClosed: accounts are made by the operator alone.
	RegistrationClosed bool
	// CheckFilter says why a filter can't be read. Nil: every filter can.
	CheckFilter func(filter string) error
	// Removed puts into the log, durably, that an account has left a room with
	// this version, before the removal is answered: what is posted to the room
	// after that then comes after it in every reader's order. Nil: nobody reads.
	Removed func(ctx context.Context, room, account string, version uint64) error
}

// NewService gives a service. It tells view of what it changes, so that a
// change holds in this process as soon as it is answered.
func NewService(dir Directory, view *View, hasher *Hasher, o Options) *Service {
	return &Service{dir: dir, view: view, hasher: hasher, options: o}
}

// digestOf names a token in the directory.
func digestOf(token string) Digest { return sha256.Sum256([]byte(token)) }

// newToken gives a secret of 256 bits.
func newToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// newID gives 16 characters of a-z2-7: 80 bits, which nobody is given twice.
func newID() string {
	b := make([]byte, 10)
	rand.Read(b) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

func isID(s string) bool {
	return len(s) == 16 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

func refusal(code chat.Code, format string, args ...any) error {
	return &chat.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// forbidden is what signing in does not help against.
func forbidden(text string) error {
	return &chat.Error{Code: chat.CodeUnauthorised, Message: text, Cause: ErrForbidden}
}

// notFound is the one answer for what is not there, and for what is not there
// for this reader.
func notFound() error { return refusal(chat.CodeNotFound, "there is no such thing here") }

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
