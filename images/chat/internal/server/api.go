package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

// maxBody bounds the body of a post in bytes. It is a frame's size, which
// holds every valid message.
const maxBody = wire.MaxFrame

func (s *Server) getMessages(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	topics := chat.AllTopics
	if topic := q.Get("topic"); topic != "" {
		var err error
		if topics, err = chat.NewTopicSet([]string{topic}); err != nil {
			s.fail(w, err)
			return
		}
	}
	var before chat.ID
	if text := q.Get("before"); text != "" {
		var err error
		if before, err = chat.ParseID(text); err != nil {
			s.fail(w, badRequest("before: %v", err))
			return
		}
	}
	limit := wire.DefaultLimit
	if text := q.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > wire.MaxLimit {
			s.fail(w, badRequest("limit: send 1 to %d", wire.MaxLimit))
			return
		}
	}
	page, err := s.service.History(r.Context(), chat.Guest, topics, before, limit)
	if err != nil {
		s.fail(w, err)
		return
	}
	b := wire.AppendList([]byte(`{"messages":`), page.Messages)
	b = strconv.AppendBool(append(b, `,"more":`...), page.More)
	writeJSON(w, http.StatusOK, append(b, '}'))
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) {
	draft, err := readDraft(w, r)
	if err == nil {
		draft, err = draft.Clean() // before the limiter, which goes by the address
	}
	if err == nil {
		if wait := s.posts.Take(draft.Email); wait > 0 {
			err = limit.TooFast(wait)
		}
	}
	if err != nil {
		s.metrics.Posted(false, string(chat.AsError(err).Code))
		s.fail(w, err)
		return
	}
	m, duplicate, err := s.service.Post(r.Context(), chat.Guest, draft)
	if err != nil {
		s.metrics.Posted(false, string(chat.AsError(err).Code))
		s.fail(w, err)
		return
	}
	s.metrics.Posted(duplicate, "")
	status := http.StatusCreated
	if duplicate {
		status = http.StatusOK
	}
	writeJSON(w, status, wire.AppendMessage(nil, m))
}

// readDraft reads the body of a post.
func readDraft(w http.ResponseWriter, r *http.Request) (chat.Draft, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return chat.Draft{}, badRequest("content type: send application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return chat.Draft{}, &chat.Error{Code: chat.CodeTooLarge, Message: fmt.Sprintf("body: send at most %d bytes", maxBody)}
	}
	if err != nil {
		return chat.Draft{}, badRequest("body: it ended before its time")
	}
	draft, bad := wire.DecodeDraft(body)
	if bad != nil {
		return chat.Draft{}, bad.Err
	}
	return draft, nil
}

func (s *Server) getTopics(w http.ResponseWriter, r *http.Request) {
	infos, err := s.service.Topics(r.Context(), chat.Guest)
	if err != nil {
		s.fail(w, err)
		return
	}
	type topic struct {
		Topic    string `json:"topic"`
		Messages int64  `json:"messages"`
		Last     string `json:"last"`
	}
	list := make([]topic, len(infos))
	for i, info := range infos {
		last := wire.AppendTime(nil, info.Last.Time())
		list[i] = topic{info.Topic, info.Messages, string(last[1 : len(last)-1])}
	}
	b, err := json.Marshal(map[string]any{"topics": list})
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, b)
}

func badRequest(format string, args ...any) *chat.Error {
	return &chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf(format, args...)}
}
