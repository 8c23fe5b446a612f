package chat

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// topicList is the list of all topics, as this process knows it: read from the
// log when somebody asks, and not again too soon; between, kept new by what
// the tails hear. So a list of 100,000 topics costs the log one slow look now
// and then, however many people ask for it. It is safe for use by many
// goroutines. Until the first question it holds and does nothing.
type topicList struct {
	log Log

	scanning chan struct{} // capacity 1: what is in it reads the log

	mu        sync.Mutex
	infos     map[string]TopicInfo // nil: never asked for
	early     []Event              // heard since the scan under way began
	scans     bool                 // one is under way
	due       time.Time            // of the next scan
	public    []TopicInfo          // sorted; replaced, never changed
	stale     bool                 // infos has something newer
	sortAfter time.Time            // not before
	through   []Pos                // what was heard of each partition
	posted    []Pos                // by this process
	moved     chan struct{}        // closed, and replaced, when through moves
}

const (
	// listAge is how long a list that the log has given is good at the least,
	// and scanShare how many times as long as it took.
	listAge   = time.Second
	scanShare = 20
	// sortShare is the same of sorting what has changed.
	sortShare = 20
	// ownWait is how long a question waits until the tails have heard what
	// this process has posted. They hear it within milliseconds.
	ownWait = 250 * time.Millisecond
	// earlyMost bounds what is remembered for a scan; past it the scan alone
	// counts.
	earlyMost = 100_000
)

func newTopicList(log Log) *topicList {
	return &topicList{
		log: log, scanning: make(chan struct{}, 1), moved: make(chan struct{}),
		through: make([]Pos, log.Partitions()), posted: make([]Pos, log.Partitions()),
	}
}

// said notes that this process has posted, before the poster is told.
func (l *topicList) said(id ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.posted[id.Part].Compare(id.Pos) < 0 {
		l.posted[id.Part] = id.Pos
	}
}

// heard takes in what a tail has read.
func (l *topicList) heard(part int, batch Batch) {
	if batch.Through == batch.After {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if batch.Through.Compare(l.through[part]) > 0 {
		l.through[part] = batch.Through
		close(l.moved)
		l.moved = make(chan struct{})
	}
	for _, e := range batch.Events {
		if !e.Kind.IsMessage() {
			continue
		}
		if l.scans && len(l.early) < earlyMost {
			l.early = append(l.early, Event{ID: e.ID, Draft: Draft{Topic: e.Draft.Topic}})
		}
		if l.infos != nil {
			l.count(l.infos, e)
		}
	}
}

// count counts an event that the list does not have yet. l.mu is held.
func (l *topicList) count(infos map[string]TopicInfo, e Event) {
	info := infos[e.Draft.Topic]
	if e.ID.Compare(info.Last) > 0 {
		infos[e.Draft.Topic] = TopicInfo{Topic: e.Draft.Topic, Messages: info.Messages + 1, Last: e.ID}
		l.stale = true
	}
}

// page gives the topics of a sight that were last used before an ID.
func (l *topicList) page(ctx context.Context, sight Sight, after ID, limit int) ([]TopicInfo, error) {
	if err := l.renew(ctx); err != nil {
		return nil, err
	}
	l.hearOwn(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sort()
	from := 0
	if after != (ID{}) {
		from, _ = slices.BinarySearchFunc(l.public, after, func(t TopicInfo, id ID) int { return id.Compare(t.Last) })
		for from < len(l.public) && l.public[from].Last.Compare(after) >= 0 {
			from++
		}
	}
	page := slices.Clone(l.public[from:min(len(l.public), from+limit)])
	for _, room := range sight.Rooms() {
		if info, ok := l.infos[room]; ok && (after == (ID{}) || info.Last.Compare(after) < 0) {
			page = append(page, info)
		}
	}
	slices.SortFunc(page, newestFirst)
	return page[:min(len(page), limit)], nil
}

func newestFirst(a, b TopicInfo) int {
	return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Topic, b.Topic))
}

// hearOwn waits until the list has what this process has posted.
func (l *topicList) hearOwn(ctx context.Context) {
	var timeout <-chan time.Time
	for {
		l.mu.Lock()
		moved, behind := l.moved, false
		for part, pos := range l.posted {
			behind = behind || pos.Compare(l.through[part]) > 0
		}
		l.mu.Unlock()
		if !behind {
			return
		}
		if timeout == nil {
			timer := time.NewTimer(ownWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-moved:
		case <-timeout: // no tail will: the log was read anew, say
			l.mu.Lock()
			copy(l.posted, l.through)
			l.mu.Unlock()
			return
		case <-ctx.Done():
			return
		}
	}
}

// sort makes public anew, unless nothing has changed or it was done a moment
// ago. l.mu is held.
func (l *topicList) sort() {
	now := time.Now()
	if !l.stale || l.public != nil && now.Before(l.sortAfter) {
		return
	}
	l.public = make([]TopicInfo, 0, len(l.infos))
	for _, info := range l.infos {
		if !IsRoom(info.Topic) {
			l.public = append(l.public, info)
		}
	}
	slices.SortFunc(l.public, newestFirst)
	l.stale = false
	end := time.Now()
	l.sortAfter = end.Add(sortShare * end.Sub(now))
}

// renew reads the list from the log when it is due. Only those who find no
// list at all wait for somebody else to do it.
func (l *topicList) renew(ctx context.Context) error {
	for {
		l.mu.Lock()
		none, due := l.infos == nil, !time.Now().Before(l.due)
		l.mu.Unlock()
		if !due {
			return nil
		}
		if none {
			select {
			case l.scanning <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		} else {
			select {
			case l.scanning <- struct{}{}:
			default:
				return nil
			}
		}
		l.mu.Lock()
		due = !time.Now().Before(l.due)
		l.mu.Unlock()
		var err error
		if due {
			err = l.scan(ctx)
		}
		<-l.scanning
		if err != nil {
			return err
		}
	}
}

func (l *topicList) scan(ctx context.Context) error {
	began := time.Now()
	l.mu.Lock()
	l.scans = true
	posted := slices.Clone(l.posted)
	l.mu.Unlock()
	infos := map[string]TopicInfo{}
	err := func() error {
		for part := range l.through {
			found, err := l.log.Topics(ctx, part)
			if err != nil {
				return err
			}
			for _, info := range found {
				infos[info.Topic] = info
			}
		}
		return nil
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	early := l.early
	l.scans, l.early = false, nil
	if err != nil {
		return err
	}
	for _, e := range early {
		l.count(infos, e)
	}
	for part, pos := range posted { // the log has given these
		if pos.Compare(l.through[part]) > 0 {
			l.through[part] = pos
		}
	}
	took := time.Since(began)
	l.infos, l.stale, l.sortAfter = infos, true, time.Time{}
	l.due = time.Now().Add(max(listAge, scanShare*took))
	return nil
}
