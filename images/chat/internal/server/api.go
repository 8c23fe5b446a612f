package server

import (
	"context"
	"net/http"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

func (s *Server) getMessages(w http.ResponseWriter, r *http.Request, c caller) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	topics, err := q.topic()
	if err != nil {
		return err
	}
	before, err := q.id("before")
	if err != nil {
		return err
	}
	limit, err := q.limit(wire.DefaultLimit, wire.MaxLimit)
	if err != nil {
		return err
	}
	replyTo, err := q.replyTo()
	if err != nil {
		return err
	}
	wants, err := q.filter(c.who)
	if err != nil {
		return err
	}
	if err := s.limitReads(r); err != nil {
		return err
	}
	body, err := s.page(r.Context(), c.who, chat.Query{
		Topics: topics, Before: before, Limit: limit, ReplyTo: replyTo, Wants: wants,
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

// page makes a page of messages. A few are made at a time, since the making
// takes many times the memory of the page. While a page waits for its client,
// only the page itself is in memory.
func (s *Server) page(ctx context.Context, who chat.Principal, q chat.Query) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	select {
	case s.pages <- struct{}{}:
		defer func() { <-s.pages }()
	case <-ctx.Done():
		return nil, chat.Unavailable(context.Cause(ctx))
	}
	page, err := s.service.Find(ctx, who, q)
	if err != nil {
		return nil, err
	}
	return wire.AppendPage([]byte{'{'}, wire.EncodeAll(page.Messages), page), nil
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request, c caller) error {
	draft, err := readDraft(w, r)
	if err == nil {
		if wait := s.posts.Take(limit.Source(r.RemoteAddr)); wait > 0 {
			err = limit.TooFast(wait)
		}
	}
	if err != nil {
		s.metrics.Posted(false, string(chat.AsError(err).Code))
		return err
	}
	m, duplicate, err := s.service.Post(r.Context(), c.who, draft)
	if err != nil {
		s.metrics.Posted(false, string(chat.AsError(err).Code))
		return err
	}
	s.metrics.Posted(duplicate, "")
	status := http.StatusCreated
	if duplicate {
		status = http.StatusOK
	}
	writeJSON(w, status, wire.AppendMessage(nil, m))
	return nil
}

// readDraft reads the body of a post.
func readDraft(w http.ResponseWriter, r *http.Request) (chat.Draft, error) {
	body, err := readBody(w, r, maxBody)
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
	// maxTopicBytes bounds its JSON: 1,000 topics of 64 ASCII letters fit.
	// topicOverhead is what JSON adds to a topic, and the name of a room.
	maxTopicBytes = 240 << 10
	topicOverhead = 100
)

func (s *Server) getTopics(w http.ResponseWriter, r *http.Request, c caller) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	after, err := q.id("after")
	if err != nil {
		return err
	}
	limit, err := q.limit(defaultTopics, maxTopics)
	if err != nil {
		return err
	}
	if err := s.limitReads(r); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), historyWait)
	defer cancel()
	infos, next, err := s.service.Topics(ctx, c.who, after, limit)
	if err != nil {
		return err
	}
	infos, next = topicsPage(infos, next)
	names, err := s.roomNames(r.Context(), c)
	if err != nil {
		return err
	}
	body := make([]byte, 0, topicOverhead*(len(infos)+1))
	writeJSON(w, http.StatusOK, wire.AppendTopics(body, infos, names, next))
	return nil
}

// topicsPage gives as many of the first topics as make a page, and what to go
// on after: the id of the last message of the page's last topic. No two topics
// have the same, and its place in the order does not change. A topic that gets
// a message between two pages moves to the front, before both.
func topicsPage(all []chat.TopicInfo, next chat.ID) ([]chat.TopicInfo, chat.ID) {
	size := 0
	for i, info := range all {
		if size += topicOverhead + 2*len(info.Topic); size > maxTopicBytes && i > 0 {
			return all[:i], all[i-1].Last
		}
	}
	return all, next
}
