package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sort"

	"github.com/go-json-experiment/json"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

// maxBody bounds the body of a post in bytes. It is a frame's size, which
// holds every valid message.
const maxBody = wire.MaxFrame

func (s *Server) getMessages(w http.ResponseWriter, r *http.Request) {
	q, err := readQuery(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	topics, err := q.topic()
	if err != nil {
		s.fail(w, err)
		return
	}
	before, err := q.id("before")
	if err != nil {
		s.fail(w, err)
		return
	}
	limit, err := q.limit(wire.DefaultLimit, wire.MaxLimit)
	if err != nil {
		s.fail(w, err)
		return
	}
	replyTo, err := q.replyTo()
	if err != nil {
		s.fail(w, err)
		return
	}
	wants, err := q.filter(chat.Guest)
	if err != nil {
		s.fail(w, err)
		return
	}
	page, err := s.service.Find(r.Context(), chat.Guest, chat.Query{
		Topics: topics, Before: before, Limit: limit, ReplyTo: replyTo, Wants: wants,
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, wire.AppendPage([]byte{'{'}, wire.EncodeAll(page.Messages), page))
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) {
	draft, err := readDraft(w, r)
	if err == nil {
		if wait := s.posts.Take(sourceOf(r)); wait > 0 {
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

// readBody reads a body of JSON.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, badRequest("content type: send application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &chat.Error{Code: chat.CodeTooLarge, Message: fmt.Sprintf("body: send at most %d bytes", maxBody)}
	}
	if err != nil {
		return nil, badRequest("body: it ended before its time")
	}
	return body, nil
}

// readDraft reads the body of a post.
func readDraft(w http.ResponseWriter, r *http.Request) (chat.Draft, error) {
	body, err := readBody(w, r)
	if err != nil {
		return chat.Draft{}, err
	}
	draft, bad := wire.DecodeDraft(body)
	if bad != nil {
		return chat.Draft{}, bad.Err
	}
	return draft, nil
}

// Bounds of a page of topics.
const (
	defaultTopics = 200
	maxTopics     = 1000
)

func (s *Server) getTopics(w http.ResponseWriter, r *http.Request) {
	q, err := readQuery(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	after, err := q.id("after")
	if err != nil {
		s.fail(w, err)
		return
	}
	limit, err := q.limit(defaultTopics, maxTopics)
	if err != nil {
		s.fail(w, err)
		return
	}
	infos, err := s.service.Topics(r.Context(), chat.Guest)
	if err != nil {
		s.fail(w, err)
		return
	}
	infos, next := topicsAfter(infos, after, limit)
	type topic struct {
		Topic    string `json:"topic"`
		Messages int64  `json:"messages"`
		Last     string `json:"last"`
	}
	list := struct {
		Topics []topic `json:"topics"`
		Next   string  `json:"next,omitzero"`
	}{make([]topic, len(infos)), next}
	for i, info := range infos {
		last := wire.AppendTime(nil, info.Last.Time())
		list.Topics[i] = topic{info.Topic, info.Messages, string(last[1 : len(last)-1])}
	}
	b, err := json.Marshal(list)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, b)
}

// topicsAfter gives a page of topics, which are sorted by their latest
// message, the newest first, and the token of the page after it, empty for
// the last. The token is the id of the page's last message: no two topics
// have the same, and it keeps its place whatever is said meanwhile. A topic
// that is spoken in between two pages has moved to the front, before both.
func topicsAfter(all []chat.TopicInfo, after chat.ID, limit int) (page []chat.TopicInfo, next string) {
	if after != (chat.ID{}) {
		from := sort.Search(len(all), func(i int) bool { return all[i].Last.Compare(after) < 0 })
		all = all[from:]
	}
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], all[limit-1].Last.String()
}

func badRequest(format string, args ...any) *chat.Error {
	return &chat.Error{Code: chat.CodeBadFrame, Message: fmt.Sprintf(format, args...)}
}
