package chat

import (
	"context"
	"slices"
)

// Page is a stretch of history, oldest first.
type Page struct {
	Messages []Message
	More     bool // there are older ones
	// Before is set if there was a filter and there are older messages: the
	// next page ends before it. If it is zero, the next page ends before the
	// first message.
	Before ID
}

// Query says which messages a page should have.
type Query struct {
	Topics  TopicSet
	Before  ID                  // the page ends just before it; zero: with the latest
	Bounds  []Pos               // in place of Before: by partition, just before these
	Limit   int                 // cut to 1..MaxHistory
	ReplyTo ID                  // direct replies to this message alone; zero: all
	Wants   func(*Message) bool // a filter; nil: all
}

const (
	// scanStep is how many messages a filtered page reads at once. After
	// scanMost messages it ends, and the client may ask for the next page.
	scanStep = 256
	scanMost = 2048
)

// Find gives the messages of a query just before its bound, ordered by time,
// then id. CodeNotFound: who does not see a topic of the query, or the message
// whose replies it asks for.
func (s *Service) Find(ctx context.Context, who Principal, q Query) (Page, error) {
	if sight := SightOf(who); len(sight.Unseen(q.Topics)) > 0 {
		return Page{}, sight.refuse(noTopic())
	}
	q.Limit = max(1, min(q.Limit, MaxHistory))
	read := func(before ID, limit int) (Page, error) {
		bounds := s.boundsBefore(before)
		if q.Bounds != nil && before == q.Before {
			bounds = q.Bounds
		}
		return s.HistoryBefore(ctx, who, q.Topics, bounds, limit)
	}
	if q.ReplyTo != (ID{}) {
		// What is remembered will not do: the message must be there now.
		s.facts.forget(q.ReplyTo)
		f, err := s.fact(who, q.ReplyTo)
		if err != nil {
			return Page{}, err
		}
		read = func(before ID, limit int) (Page, error) { return s.replies(ctx, who, q, f.topic, before, limit) }
	}
	if q.Wants == nil {
		return read(q.Before, q.Limit)
	}
	return filtered(q, read)
}

// filtered reads back in bounded steps. It ends when it has more matches than
// make the page, when there is nothing older, or after scanMost messages.
func filtered(q Query, read func(before ID, limit int) (Page, error)) (Page, error) {
	var found []Message
	before := q.Before
	for scanned := 0; ; {
		step, err := read(before, scanStep)
		if err != nil {
			return Page{}, err
		}
		var matches []Message
		for i := range step.Messages {
			if q.Wants(&step.Messages[i]) {
				matches = append(matches, step.Messages[i])
			}
		}
		found = append(matches, found...)
		if page := lastPage(found, q.Limit); len(page) < len(found) {
			return Page{Messages: page, More: true, Before: page[0].ID}, nil
		}
		if !step.More || len(step.Messages) == 0 {
			return Page{Messages: found}, nil
		}
		before = step.Messages[0].ID
		if scanned += len(step.Messages); scanned >= scanMost {
			return Page{Messages: found, More: true, Before: before}, nil
		}
	}
}

// replies gives the last limit direct replies before a bound.
func (s *Service) replies(ctx context.Context, who Principal, q Query, topic string, before ID, limit int) (Page, error) {
	if !q.Topics.Has(topic) {
		return Page{}, nil
	}
	part := int(q.ReplyTo.Part)
	at, err := s.options.Numbers.Replies(ctx, q.ReplyTo, s.boundsBefore(before)[part], limit+1)
	if err != nil {
		return Page{}, Unavailable(err)
	}
	more := len(at) > limit
	events, err := s.options.Numbers.At(ctx, part, at[max(0, len(at)-limit):])
	if err != nil {
		return Page{}, Unavailable(err)
	}
	page := Page{More: more}
	for _, e := range s.spoken(events) {
		page.Messages = append(page.Messages, e.Message())
	}
	if kept := lastPage(page.Messages, limit); len(kept) < len(page.Messages) {
		page.Messages, page.More = kept, true
	}
	if page.Messages, err = recheck(ctx, who, page.Messages); err != nil {
		return Page{}, err
	}
	if err := s.dress(ctx, who, page.Messages); err != nil {
		return Page{}, Unavailable(err)
	}
	return page, nil
}

// boundsBefore gives, for each partition, the bound that an id means in the
// order by time, then id.
func (s *Service) boundsBefore(before ID) []Pos {
	bounds := make([]Pos, s.Partitions())
	for part := range bounds {
		switch {
		case before == (ID{}):
			bounds[part] = MaxPos
		case part < int(before.Part):
			bounds[part] = before.Pos.Next() // ids of one position are ordered by partition
		default:
			bounds[part] = before.Pos
		}
	}
	return bounds
}

// History gives the limit messages of the topics just before an ID (the zero
// ID: the latest), ordered by time, then id. limit is cut to 1..MaxHistory.
func (s *Service) History(ctx context.Context, who Principal, topics TopicSet, before ID, limit int) (Page, error) {
	return s.Find(ctx, who, Query{Topics: topics, Before: before, Limit: limit})
}

// HistoryBefore gives the last limit messages whose position is before their
// partition's bound, ordered by time, then id; fewer where they would take
// more than a page's bytes, but one at the least.
func (s *Service) HistoryBefore(ctx context.Context, who Principal, topics TopicSet, bounds []Pos, limit int) (Page, error) {
	sight := SightOf(who)
	var all []Message // the newest of what was read so far: a page, and one more
	full := false
	for part, bound := range bounds {
		sources, err := s.sources(ctx, sight, topics, part, len(bounds))
		if err != nil {
			return Page{}, Unavailable(err)
		}
		for _, from := range sources {
			if full && all[0].ID.Compare(ID{Pos: from.last, Part: uint8(part)}) > 0 {
				break // the sources after it have nothing newer either
			}
			found, err := s.before(ctx, sight, part, from.topic, bound, limit+1)
			if err != nil {
				return Page{}, Unavailable(err)
			}
			all = append(all, found...)
			slices.SortFunc(all, func(a, b Message) int { return a.ID.Compare(b.ID) })
			all, full = lastPageAndOne(all, limit)
		}
	}
	all, err := recheck(ctx, who, all)
	if err != nil {
		return Page{}, err
	}
	page := Page{Messages: lastPage(all, limit), More: full}
	if err := s.dress(ctx, who, page.Messages); err != nil {
		return Page{}, Unavailable(err)
	}
	return page, nil
}

// source is one topic, or all topics of a partition, that a page is read from.
type source struct {
	topic string // "": all of the partition
	last  Pos    // of its last event; MaxPos: not known
}

// sources gives what to read of a partition, the one with the newest event
// first. Topics without events are left out, so naming many topics that nobody
// has used costs one question.
func (s *Service) sources(ctx context.Context, sight Sight, topics TopicSet, part, partitions int) ([]source, error) {
	names := topics.inPartition(part, partitions)
	names = slices.DeleteFunc(names, func(topic string) bool { return topic != "" && !sight.Sees(topic) })
	list := make([]source, 0, len(names))
	if len(names) < 2 {
		for _, topic := range names {
			list = append(list, source{topic, MaxPos})
		}
		return list, nil
	}
	last, err := s.log.Last(ctx, part, names)
	if err != nil {
		return nil, err
	}
	for i, topic := range names {
		if !last[i].IsZero() {
			list = append(list, source{topic, last[i]})
		}
	}
	slices.SortFunc(list, func(a, b source) int { return b.last.Compare(a.last) })
	return list, nil
}

// firstStep is how many events are read at first. Their size decides how many
// are read next.
const firstStep = 32

// before gives the last limit messages of a partition before a bound, in any
// order; fewer where they are more than a page and one. It reads on where it
// has stepped over events.
func (s *Service) before(ctx context.Context, sight Sight, part int, topic string, bound Pos, limit int) ([]Message, error) {
	var all []Message
	size := 0
	for {
		asked := min(limit-len(all), firstStep)
		if len(all) > 0 {
			asked = min(limit-len(all), max(1, (PageBytes-size)*len(all)/size+2))
		}
		events, err := s.reads.before(ctx, question{part, topic, bound, asked})
		if err != nil {
			return nil, err
		}
		last := len(events) < asked
		if !last {
			bound = events[0].ID.Pos // now: what follows moves the events
		}
		oldest := 0
		for _, e := range s.spoken(events) {
			if sight.Sees(e.Draft.Topic) {
				m := e.Message()
				all = append(all, m)
				size += pageSize(&m)
				if oldest == 0 {
					oldest = pageSize(&m)
				}
			}
		}
		if last || len(all) == limit || oldest > 0 && size-oldest >= PageBytes {
			return all, nil
		}
	}
}

// MaxHistory is the most messages that one call of History gives.
const MaxHistory = 200
