package live

import (
	"context"
	"errors"
	"time"

	"chatapp/chat/internal/chat"
	"chatapp/chat/internal/feed"
	"chatapp/chat/internal/filter"
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
func (s *session) post(ctx context.Context, p wire.Post) error {
	key := p.Draft.Key
	if p.Ephemeral {
		return s.say(ctx, key, s.metrics.ephemerals, func(done func(*wire.Frame, error)) {
			s.service.EphemeralFunc(s.who(), p.Draft, func(at time.Time, err error) {
				if err == nil {
					s.metrics.ephemerals("sent")
				}
				done(&wire.Frame{Text: wire.AppendEphemeralAck(nil, key, at)}, err)
			})
		})
	}
	return s.say(ctx, key, s.metrics.posts, func(done func(*wire.Frame, error)) {
		s.service.PostFunc(s.who(), p.Draft, func(m chat.Message, duplicate bool, err error) {
			if err == nil {
				s.metrics.posted(duplicate)
			}
			done(&wire.Frame{Text: wire.AppendAck(nil, key, m.ID)}, err)
		})
	})
}

// vote is post for votes.
func (s *session) vote(ctx context.Context, v wire.Vote) error {
	if !chat.ValidKey(v.Key) {
		return s.refuse(&wire.Unreadable{
			Err: &chat.Error{Code: chat.CodeBadMessage, Message: "key: send 1 to 64 characters of A-Z a-z 0-9 . _ : -"}, Key: wire.Echo(v.Key),
		})
	}
	return s.say(ctx, v.Key, s.metrics.votes, func(done func(*wire.Frame, error)) {
		s.service.VoteFunc(s.who(), v.Draft, func(c chat.Counted, err error) {
			if err == nil {
				s.metrics.votes("counted")
			}
			done(&wire.Frame{Text: wire.AppendVoteAck(nil, v.Key, c.ID)}, err)
		})
	})
}

// say serves a post or a vote within the limits, and sends the answer when it
// is there. count is called with the code of a failure.
func (s *session) say(ctx context.Context, key string, count func(string), begin func(done func(*wire.Frame, error))) error {
	if wait := s.rate.Take(s.posts); wait > 0 {
		count("rate_limited")
		s.fail(limit.TooFast(wait), wire.Echo(key), "")
		return nil
	}
	if s.slots == nil {
		s.slots = make(chan struct{}, postsUnderWay)
	}
	select {
	case s.slots <- struct{}{}: // each is given back: the service always answers
	case <-ctx.Done():
		return errEnded
	}
	begin(func(answer *wire.Frame, err error) {
		if err != nil {
			e := chat.AsError(err)
			count(string(e.Code))
			if e.Code == chat.CodeBadMessage && s.bad.Take(badFrameRate) > 0 {
				s.out.Close(wire.CloseTooManyBadFrames)
			} else {
				s.fail(e, wire.Echo(key), "")
			}
		} else {
			s.out.Answer(answer)
		}
		<-s.slots
	})
	return nil
}

// askToo counts a question of the session, which waits for its answer before it
// hears the next one, or says how long it has to wait.
func (s *session) askToo() time.Duration {
	if wait := s.asked.Take(s.reads); wait > 0 {
		return wait
	}
	return s.sourceReads.Take(s.source)
}

func (s *session) history(ctx context.Context, h wire.History) {
	matcher, bad := s.compile(h.Filter)
	if bad != nil {
		s.fail(bad, "", h.Ref)
		return
	}
	if wait := s.askToo(); wait > 0 {
		s.fail(limit.TooMany(wait), "", h.Ref)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, historyWait)
	defer cancel()
	page, err := s.service.Find(ctx, s.who(), chat.Query{
		Topics: h.Topics, Before: h.Before, Limit: h.Limit, ReplyTo: h.ReplyTo, Wants: wants(matcher),
	})
	if err != nil {
		s.fail(chat.AsError(err), "", h.Ref)
		return
	}
	hub := s.feed.Hub()
	hub.LearnOf(page.Messages)
	hub.Answer(&s.out, feed.Encode(page.Messages), func(items []feed.Item) *wire.Frame {
		return &wire.Frame{Text: wire.AppendHistoryOf(nil, h.Ref, feed.Texts(items), page)}
	})
}

// compile reads a filter for the session's principal. Its errors do not count
// among bad messages: people make mistakes when they type a filter.
func (s *session) compile(text string) (*filter.Matcher, *chat.Error) {
	return Compile(text, s.who())
}

// Compile reads a filter for somebody, now; nil: there is none.
func Compile(text string, who chat.Principal) (*filter.Matcher, *chat.Error) {
	e, err := filter.Parse(text)
	if bad, ok := errors.AsType[*filter.Error](err); ok {
		return nil, &chat.Error{
			Code: chat.CodeBadMessage, Message: "filter: expected " + bad.Expected, At: bad.At, Expected: bad.Expected,
		}
	}
	if e == nil {
		return nil, nil
	}
	return e.Compile(filter.Reader{Account: who.Account, Rooms: namesOfRooms(who)}, time.Now()), nil
}

// namesOfRooms gives the rooms of a principal with their names.
func namesOfRooms(who chat.Principal) map[string]string {
	if who.Rooms == nil {
		return nil
	}
	names := map[string]string{}
	for _, room := range who.Rooms.List() {
		names[room] = who.Rooms.Name(room)
	}
	return names
}

// wants is a filter as a query takes it.
func wants(m *filter.Matcher) func(*chat.Message) bool {
	if m == nil {
		return nil
	}
	return func(message *chat.Message) bool {
		f := filter.Fold(feed.Subject(message))
		return m.Match(&f)
	}
}

// Wants is a filter as a query takes it; nil for none.
func Wants(m *filter.Matcher) func(*chat.Message) bool { return wants(m) }
