package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
)

// caller is who makes a request.
type caller struct {
	who     chat.Principal
	account people.Account // of those signed in
	token   string
}

// handler serves a request of a caller. It writes an answer, or returns an
// error, which becomes the answer.
type handler func(w http.ResponseWriter, r *http.Request, c caller) error

// anybody is for calls that guests may make, unless guests may make none.
func (s *Server) anybody(h handler) http.HandlerFunc {
	return s.as(h, s.config.Guests != GuestsNone)
}

// signedIn is for calls that need an account.
func (s *Server) signedIn(h handler) http.HandlerFunc { return s.as(h, false) }

func (s *Server) as(h handler, guests bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.caller(r)
		if err == nil && !guests && !c.who.SignedIn() {
			err = errSignIn()
		}
		if err == nil {
			// A query that nobody reads may be unreadable too.
			if _, err = readQuery(r); err == nil {
				err = h(w, r, c)
			}
			if err != nil && c.who.SignedIn() && chat.AsError(err).Code == chat.CodeUnauthorised && !errors.Is(err, people.ErrSignIn) {
				err = errors.Join(people.ErrForbidden, err) // signing in would not help
			}
		}
		if err != nil {
			s.fail(w, err)
		}
	}
}

func errSignIn() *chat.Error {
	return &chat.Error{Code: chat.CodeUnauthorised, Message: "sign in, and send the token: Authorization: Bearer TOKEN"}
}

// caller finds out who makes a request: whoever holds the token in its
// Authorization header. Without one, or with a header of another scheme (a
// proxy's, say), it is a guest.
func (s *Server) caller(r *http.Request) (caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return caller{who: chat.Guest}, nil
	}
	if s.config.People.View == nil {
		return caller{}, errSignIn()
	}
	token = strings.TrimSpace(token)
	who, account, err := s.config.People.View.Principal(r.Context(), token)
	return caller{who, account, token}, err
}

// roomNames gives the names of the caller's rooms.
func (s *Server) roomNames(ctx context.Context, c caller) (map[string]string, error) {
	if !c.who.SignedIn() {
		return nil, nil
	}
	rooms, err := s.people.Rooms(ctx, c.account)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(rooms))
	for _, room := range rooms {
		names[room.ID] = room.Name
	}
	return names, nil
}
