package live

import (
	"context"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/limit"
	"chatapp/chat/internal/wire"
)

const (
	// postsUnderWay is how many posts of one session may wait for their
	// answer. Past that its frames are read no further until one is answered.
	postsUnderWay = 64
	// historyWait bounds one question for history.
	historyWait = 5 * time.Second
)

// post hands the draft to the service and returns; the answer comes from the
// service's writer. Answers come in the order of the posts of a topic. An error
// ends the session.
func (s *session) post(ctx context.Context, d chat.Draft) error {
	if wait := s.rate.Take(s.posts); wait > 0 {
		s.metrics.posts("rate_limited")
		s.fail(limit.TooFast(wait), wire.Echo(d.Key), "")
		return nil
	}
	if s.slots == nil {
		s.slots = make(chan struct{}, postsUnderWay)
	}
	select {
	case s.slots <- struct{}{}: // each is given back: PostFunc answers always
	case <-ctx.Done():
		return errEnded
	}
	s.service.PostFunc(s.who(), d, func(m chat.Message, duplicate bool, err error) {
		if err != nil {
			e := chat.AsError(err)
			s.metrics.posts(string(e.Code))
			if e.Code == chat.CodeBadMessage && s.bad.Take(badFrameRate) > 0 {
				s.out.Close(wire.CloseTooManyBadFrames)
			} else {
				s.fail(e, wire.Echo(d.Key), "")
			}
		} else {
			s.metrics.posted(duplicate)
			s.out.Answer(&wire.Frame{Text: wire.AppendAck(nil, d.Key, m.ID)})
		}
		<-s.slots
	})
	return nil
}

func (s *session) history(ctx context.Context, h wire.History) {
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	page, err := s.service.History(ctx, s.who(), h.Topics, h.Before, h.Limit)
	if err != nil {
		s.fail(chat.AsError(err), "", h.Ref)
		return
	}
	s.out.Answer(&wire.Frame{Text: wire.AppendHistory(nil, h.Ref, page)})
}
