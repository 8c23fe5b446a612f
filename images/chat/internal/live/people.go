package live

import (
	"context"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/people"
	"chatapp/chat/internal/wire"
)

// signInWait bounds the question whose token it is.
const signInWait = 3 * time.Second

// who is the principal of the session, as it is known now.
func (s *session) who() chat.Principal {
	if s.seat == nil {
		return chat.Guest
	}
	return s.seat.Principal()
}

// hello signs the client in, if it sends a token, and welcomes it. A refused
// hello may be sent again. An error ends the session.
func (s *session) hello(ctx context.Context, h wire.Hello) error {
	if err := s.signIn(ctx, h.Token); err != nil {
		s.fail(err, "", "")
		if err.Code == chat.CodeUnauthorised {
			s.end(wire.CloseSignedOut)
			return errEnded
		}
		s.out.extend(helloWait) // the fault is ours: the client may try again
		return nil
	}
	if err := s.unseen(h.Topics); err != nil {
		s.fail(err, "", "")
		s.signOff()
		return nil
	}
	matcher, bad := s.compile(h.Filter)
	if bad != nil {
		s.fail(bad, "", "")
		s.signOff()
		return nil
	}
	s.greeted = true
	s.members.Greet(s.place, s.who().Account)
	s.alive()
	return s.subscribe(ctx, h.Topics, matcher, h.Cursor, h.Limit)
}

// signIn gives the session the seat of whoever holds the token; nil is a guest.
func (s *session) signIn(ctx context.Context, token *string) *chat.Error {
	switch {
	case token == nil && s.guests:
		return nil
	case token == nil || s.people == nil:
		return &chat.Error{Code: chat.CodeUnauthorised, Message: "hello: sign in, and send the token"}
	}
	ctx, cancel := context.WithTimeout(ctx, signInWait)
	defer cancel()
	seat, err := s.people.Open(ctx, *token, watcher{s})
	if err != nil {
		return chat.AsError(err)
	}
	s.seat = seat
	return nil
}

// signOff gives the seat back.
func (s *session) signOff() {
	if s.seat != nil {
		s.seat.Close()
		s.seat = nil
	}
}

// unseen is the error about topics that are not there for this client.
func (s *session) unseen(topics chat.TopicSet) *chat.Error {
	unseen := chat.SightOf(s.who()).Unseen(topics)
	switch {
	case len(unseen) == 0:
		return nil
	case s.seat != nil && s.people.Stale():
		return chat.Unavailable(nil)
	}
	return chat.NoTopics(unseen)
}

// leftIn gives a function that tells a view what the log says of who has left a
// room.
func leftIn(view *people.View) func(room, account string, version uint64) {
	if view == nil {
		return nil
	}
	return func(room, account string, version uint64) {
		view.Heard(people.Change{Kind: people.Left, Room: room, Account: account, Version: version})
	}
}

// tellRooms sends the client its rooms.
func (s *session) tellRooms() {
	s.roomsAt.Store(time.Now().UnixNano())
	s.out.Answer(&wire.Frame{Text: wire.AppendRooms(nil, s.seat.Rooms())})
}

// renewRooms implements ringer.
func (s *session) renewRooms() {
	s.feed.Hub().Renew(s.subscription.Load(), func() map[string]string {
		names := map[string]string{}
		for _, room := range s.seat.Rooms() {
			names[room.ID] = room.Name
		}
		return names
	})
}

// tellRoomsAfter implements ringer.
func (s *session) tellRoomsAfter(gap time.Duration) bool {
	at := s.roomsAt.Load()
	if at == 0 || s.out.Ended() { // the welcome will tell them, or the client is gone
		return true
	}
	if time.Now().UnixNano()-at < int64(gap) {
		return false
	}
	s.tellRooms()
	return true
}

// watcher is told what happens to the account of a session.
type watcher struct{ s *session }

// SignedOut implements people.Watcher.
func (w watcher) SignedOut() { w.s.out.Close(wire.CloseSignedOut) }

// RoomsChanged implements people.Watcher.
func (w watcher) RoomsChanged() { w.s.rooms.ring(w.s) }

// Unsure implements people.Watcher: the client resumes, and misses nothing.
func (w watcher) Unsure() { w.s.out.Close(wire.CloseGoingAway) }
