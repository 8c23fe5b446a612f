package server

import (
	"net/http"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/live"
	"chatapp/chat/internal/wire"
)

// messageID gives the message that a request's path names. For what is no id
// the error is that of a message that does not exist.
func messageID(r *http.Request) (chat.ID, error) {
	id, err := chat.ParseID(r.PathValue("id"))
	if err != nil {
		return chat.ID{}, &chat.Error{Code: chat.CodeNotFound, Message: "id: there is no such message here (any more)"}
	}
	return id, nil
}

func (s *Server) putVote(w http.ResponseWriter, r *http.Request, c caller) error {
	counted, err := s.vote(w, r, c.who)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.AppendVoted(nil, counted))
	return nil
}

func (s *Server) vote(w http.ResponseWriter, r *http.Request, who chat.Principal) (chat.Counted, error) {
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return chat.Counted{}, err
	}
	vote, bad := wire.DecodeVote(body)
	if bad != nil {
		return chat.Counted{}, bad
	}
	if vote.Message, err = messageID(r); err != nil {
		return chat.Counted{}, err
	}
	if wait := s.posts.Take(limit.Source(r.RemoteAddr)); wait > 0 {
		return chat.Counted{}, limit.TooFast(wait)
	}
	return s.service.Vote(r.Context(), who, vote)
}

func (s *Server) deleteMessage(w http.ResponseWriter, r *http.Request, c caller) error {
	id, err := messageID(r)
	if err == nil {
		err = s.service.Delete(r.Context(), c.who, id)
	}
	if err != nil {
		return err
	}
	writeNothing(w)
	return nil
}

// filter gives the parameter filter as a query takes it; nil if there is none.
func (q query) filter(who chat.Principal) (func(*chat.Message) bool, error) {
	text, _, err := q.text("filter")
	if err != nil {
		return nil, err
	}
	matcher, bad := live.Compile(text, who)
	if bad != nil {
		return nil, bad
	}
	return live.Wants(matcher), nil
}

// replyTo gives the parameter reply_to; the zero ID if it is absent.
func (q query) replyTo() (chat.ID, error) {
	text, given, err := q.text("reply_to")
	if err != nil || !given {
		return chat.ID{}, err
	}
	id, err := chat.ParseID(text)
	if err != nil {
		return chat.ID{}, &chat.Error{Code: chat.CodeNotFound, Message: "reply_to: there is no such message here (any more)"}
	}
	return id, nil
}
