package server

import (
	"net/http"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/wire"
)

// routePeople routes what is about accounts, rooms and saved filters.
func (s *Server) routePeople(route func(pattern, name string, h http.HandlerFunc)) {
	open := func(h handler) http.HandlerFunc { return s.as(h, true) } // under --guests none, too
	route("POST /api/v1/accounts", "accounts", open(s.register))
	route("POST /api/v1/session", "session", open(s.signIn))
	route("GET /api/v1/session", "session", open(s.getSession))
	route("DELETE /api/v1/session", "session", s.signedIn(s.signOut))
	route("PATCH /api/v1/account", "account", s.signedIn(s.changeAccount))
	route("DELETE /api/v1/account", "account", s.signedIn(s.deleteAccount))

	route("POST /api/v1/rooms", "rooms", s.signedIn(s.createRoom))
	route("GET /api/v1/rooms", "rooms", s.signedIn(s.getRooms))
	route("GET /api/v1/rooms/{room}", "rooms", s.signedIn(s.getRoom))
	route("PATCH /api/v1/rooms/{room}", "rooms", s.signedIn(s.changeRoom))
	route("DELETE /api/v1/rooms/{room}", "rooms", s.signedIn(s.deleteRoom))
	route("PUT /api/v1/rooms/{room}/members/{email}", "members", s.signedIn(s.addMember))
	route("DELETE /api/v1/rooms/{room}/members/{email}", "members", s.signedIn(s.removeMember))

	route("GET /api/v1/filters", "filters", s.signedIn(s.getFilters))
	route("PUT /api/v1/filters/{name}", "filters", s.signedIn(s.saveFilter))
	route("DELETE /api/v1/filters/{name}", "filters", s.signedIn(s.deleteFilter))
}

// maxCredentials bounds the body of a call about an account, in bytes. A
// password of 256 code points, escaped, takes 3 KiB.
const maxCredentials = 16 << 10

// limitSignIns counts a registration or sign-in of a source.
func (s *Server) limitSignIns(r *http.Request) error {
	if wait := s.signIns.Take(limit.Source(r.RemoteAddr)); wait > 0 {
		return &chat.Error{
			Code: chat.CodeRateLimited, Message: "too many sign-ins from where you are: wait a moment",
			RetryAfter: max(wait, time.Second),
		}
	}
	return nil
}

func (s *Server) register(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := s.limitSignIns(r); err != nil {
		return err
	}
	var f struct {
		Email    field[string] `json:"email"`
		Name     field[string] `json:"name"`
		Password field[string] `json:"password"`
	}
	if err := readFields(w, r, maxCredentials, &f, "email, name and password are strings"); err != nil {
		return err
	}
	a, token, err := s.people.Register(r.Context(), f.Email.or(""), f.Name.or(""), f.Password.or(""))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, appendSignedIn(a, token))
	return nil
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := s.limitSignIns(r); err != nil {
		return err
	}
	var f struct {
		Email    field[string] `json:"email"`
		Password field[string] `json:"password"`
	}
	if err := readFields(w, r, maxCredentials, &f, "email and password are strings"); err != nil {
		return err
	}
	a, token, err := s.people.SignIn(r.Context(), f.Email.or(""), f.Password.or(""))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, appendSignedIn(a, token))
	return nil
}

// appendSignedIn makes the answer to whoever has signed in.
func appendSignedIn(a people.Account, token string) []byte {
	b := wire.AppendAccount([]byte(`{"account":`), a.ID, a.Email, a.Name)
	b = append(b, `,"token":"`...)
	b = append(b, token...) // JSON escapes none of its characters
	return append(b, `"}`...)
}

func (s *Server) getSession(w http.ResponseWriter, _ *http.Request, c caller) error {
	b := []byte(`{"account":`)
	if c.who.SignedIn() {
		b = wire.AppendAccount(b, c.who.Account, c.who.Email, c.who.Name)
	} else {
		b = append(b, `null`...)
	}
	b = append(b, `,"features":`...)
	b = wire.AppendStrings(b, s.config.People.Features)
	b = append(b, `,"guests":"`...)
	b = append(b, s.config.Guests...)
	b = append(b, `","registration":"`...)
	b = append(b, s.config.Registration...)
	writeJSON(w, http.StatusOK, append(b, `"}`...))
	return nil
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request, c caller) error {
	if err := s.people.SignOut(r.Context(), c.account, c.token); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}

func (s *Server) changeAccount(w http.ResponseWriter, r *http.Request, c caller) error {
	var f struct {
		Name     field[string] `json:"name"`
		Password field[string] `json:"password"`
		Current  field[string] `json:"current_password"`
	}
	if err := readFields(w, r, maxCredentials, &f, "name, password and current_password are strings"); err != nil {
		return err
	}
	current, err := needCurrent(f.Current)
	if err != nil {
		return err
	}
	a, err := s.people.ChangeAccount(r.Context(), c.account, c.token, f.Name.value, f.Password.value, current)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, append(wire.AppendAccount([]byte(`{"account":`), a.ID, a.Email, a.Name), '}'))
	return nil
}

// needCurrent gives the current password. It is an error if there is none, and
// does not count as a wrong one.
func needCurrent(f field[string]) (string, error) {
	if f.value == nil {
		return "", &chat.Error{Code: chat.CodeBadMessage, Message: "current_password: send it"}
	}
	return *f.value, nil
}

func (s *Server) deleteAccount(w http.ResponseWriter, r *http.Request, c caller) error {
	var f struct {
		Current field[string] `json:"current_password"`
	}
	if err := readFields(w, r, maxCredentials, &f, "current_password is a string"); err != nil {
		return err
	}
	current, err := needCurrent(f.Current)
	if err != nil {
		return err
	}
	if err := s.people.DeleteAccount(r.Context(), c.account, current); err != nil {
		return err
	}
	writeNothing(w)
	return nil
}
