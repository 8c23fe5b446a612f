package chat

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// topicList is the list of all topics, as this process knows it. It is read
// from the log when somebody asks for it, but not again too soon. In between,
// the tails say what is new. So a list of 100,000 topics costs the log one slow
// scan now and then, however many people ask for it. It is safe for use by many
// goroutines. Until the first question it is empty, and the tails add nothing
// to it.
//
// A scan, which reads the list, is a goroutine of its own. It outlives the
// question that began it, whose deadline may be shorter than a scan of many
// topics takes on a busy machine: else no question would ever be answered.
//
// Posts and tails tell it what they do, so mu is never held for work that
// grows with the number of topics.
type topicList struct {
	log    Log
	ctx    context.Context // of the scans
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	scan  *topicScan           // under way; nil: none
	read  *readTopics          // by the last scan; nil: never asked for
	fresh map[string]TopicInfo // what was heard since, in place of what was read
	early []Event              // heard since the scan under way began
	due   time.Time            // of the next scan

	sorted    []TopicInfo         // the public ones that were fresh at the last sort
	shown     map[string]struct{} // those of sorted
	sorting   bool
	stale     bool      // fresh has something newer
	sortAfter time.Time // not before

	through  []Pos         // what was heard of each partition
	posted   []Pos         // by this process
	advanced chan struct{} // closed, and replaced, when through advances
}

// topicScan is one scan. err is valid when done is closed.
type topicScan struct {
	done chan struct{}
	err  error
}

// readTopics is what the log gave. It is not changed after it is made.
type readTopics struct {
	infos  map[string]TopicInfo
	public []TopicInfo // sorted
}

const (
	// listAge is how long a list that the log has given is good at the least,
	// and scanShare how many times as long as it took to make.
	listAge   = time.Second
	scanShare = 50
	// scanTime bounds a scan, and scanWait how long the question that began
	// one waits for it where there is a list from before.
	scanTime = 2 * time.Minute
	scanWait = 250 * time.Millisecond
	// sortShare is the same of sorting what is fresh.
	sortShare = 20
	// ownWait is how long a question waits until the tails have heard what
	// this process has posted. They hear it within milliseconds.
	ownWait = 250 * time.Millisecond
	// earlyMost bounds what is remembered for a scan. What comes after that is
	// counted by the scan alone.
	earlyMost = 100_000
)

func newTopicList(log Log) *topicList {
	l := &topicList{
		log: log, advanced: make(chan struct{}),
		through: make([]Pos, log.Partitions()), posted: make([]Pos, log.Partitions()),
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

// close gives up the scan under way, if there is one, and joins it, unless ctx
// ends first. None begins afterwards.
func (l *topicList) close(ctx context.Context) {
	l.mu.Lock()
	l.cancel(errClosed)
	scan := l.scan
	l.mu.Unlock()
	if scan == nil {
		return
	}
	select {
	case <-scan.done:
	case <-ctx.Done():
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
		close(l.advanced)
		l.advanced = make(chan struct{})
	}
	for _, e := range batch.Events {
		if !e.Kind.IsMessage() {
			continue
		}
		if l.scan != nil && len(l.early) < earlyMost {
			l.early = append(l.early, Event{ID: e.ID, Draft: Draft{Topic: e.Draft.Topic}})
		}
		if l.read != nil {
			l.count(e)
		}
	}
}

// count counts an event, unless the list has it. l.mu is held.
func (l *topicList) count(e Event) {
	info := l.info(e.Draft.Topic)
	if e.ID.Compare(info.Last) > 0 {
		l.fresh[e.Draft.Topic] = TopicInfo{Topic: e.Draft.Topic, Messages: info.Messages + 1, Last: e.ID}
		l.stale = true
	}
}

// info gives what is known of a topic; zero: nothing. l.mu is held.
func (l *topicList) info(topic string) TopicInfo {
	if info, ok := l.fresh[topic]; ok {
		return info
	}
	return l.read.infos[topic]
}

// page gives at most limit topics of a sight that were last used before an ID.
func (l *topicList) page(ctx context.Context, sight Sight, after ID, limit int) ([]TopicInfo, error) {
	if err := l.renew(ctx); err != nil {
		return nil, err
	}
	l.hearOwn(ctx)
	l.sort()
	l.mu.Lock()
	defer l.mu.Unlock()
	page := make([]TopicInfo, 0, min(limit, len(l.sorted)+len(l.read.public)))
	for _, info := range lastUsedBefore(l.sorted, after) {
		if len(page) == limit {
			break
		}
		page = append(page, info)
	}
	heard := len(page)
	for _, info := range lastUsedBefore(l.read.public, after) {
		if len(page)-heard == limit {
			break
		}
		if _, newer := l.shown[info.Topic]; !newer {
			page = append(page, info)
		}
	}
	for _, room := range sight.Rooms() {
		info := l.info(room)
		if info.Messages <= 0 {
			info = silent(room, sight.rooms.Created(room), len(l.through))
		}
		if after == (ID{}) || info.Last.Compare(after) < 0 {
			page = append(page, info)
		}
	}
	slices.SortFunc(page, newestFirst)
	return page[:min(len(page), limit)], nil
}

// silent is a room without messages. It counts as used last when it was made.
// Among rooms made in one millisecond its name decides the order, so that a
// page can go on after each.
func silent(room string, created time.Time, partitions int) TopicInfo {
	h := fnv.New32a()
	h.Write([]byte(room))
	at := Pos{Ms: uint64(max(0, created.UnixMilli())), Seq: h.Sum32()}
	return TopicInfo{Topic: room, Last: ID{Pos: at, Part: uint8(PartitionOf(room, partitions))}}
}

// lastUsedBefore gives the part of a sorted list that was last used before an
// ID; all of it before the zero ID.
func lastUsedBefore(sorted []TopicInfo, after ID) []TopicInfo {
	if after == (ID{}) {
		return sorted
	}
	from, _ := slices.BinarySearchFunc(sorted, after, func(t TopicInfo, id ID) int {
		if t.Last.Compare(id) >= 0 {
			return -1
		}
		return 1
	})
	return sorted[from:]
}

func newestFirst(a, b TopicInfo) int {
	return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Topic, b.Topic))
}

// hearOwn waits until the list has what this process has posted.
func (l *topicList) hearOwn(ctx context.Context) {
	var timeout <-chan time.Time
	for {
		l.mu.Lock()
		advanced, behind := l.advanced, false
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
		case <-advanced:
		case <-timeout: // the tails will not say it: the log was read anew, perhaps
			l.mu.Lock()
			copy(l.posted, l.through)
			l.mu.Unlock()
			return
		case <-ctx.Done():
			return
		}
	}
}

// sort puts what is fresh in order, unless nothing has changed, it was done a
// moment ago, or another goroutine is doing it.
func (l *topicList) sort() {
	began := time.Now()
	l.mu.Lock()
	if !l.stale || l.sorting || began.Before(l.sortAfter) {
		l.mu.Unlock()
		return
	}
	list := make([]TopicInfo, 0, len(l.fresh))
	for _, info := range l.fresh {
		if public(info.Topic) {
			list = append(list, info)
		}
	}
	read := l.read
	l.stale, l.sorting = false, true
	l.mu.Unlock()
	slices.SortFunc(list, newestFirst)
	shown := make(map[string]struct{}, len(list))
	for _, info := range list {
		shown[info.Topic] = struct{}{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	end := time.Now()
	l.sorting, l.sortAfter = false, end.Add(sortShare*end.Sub(began))
	if l.read == read { // else the list was read anew meanwhile
		l.sorted, l.shown = list, shown
	} else {
		l.stale = true
	}
}

// renew starts a scan when one is due. If there is no list yet, it waits for
// the scan until ctx ends. If there is one, only the caller that started the
// scan waits, for scanWait, which is enough for few topics.
func (l *topicList) renew(ctx context.Context) error {
	l.mu.Lock()
	none, scan, mine := l.read == nil, l.scan, false
	if scan == nil && !time.Now().Before(l.due) && l.ctx.Err() == nil {
		scan, mine = &topicScan{done: make(chan struct{})}, true
		l.scan = scan
		go l.run(scan, slices.Clone(l.posted))
	}
	l.mu.Unlock()
	var enough <-chan time.Time
	switch {
	case none && scan == nil:
		return errClosed
	case none:
	case mine:
		timer := time.NewTimer(scanWait)
		defer timer.Stop()
		enough = timer.C
	default:
		return nil
	}
	select {
	case <-scan.done:
		if none {
			return scan.err
		}
		return nil // the list from before will do
	case <-enough:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run is a scan. posted is what this process had posted before.
func (l *topicList) run(scan *topicScan, posted []Pos) {
	ctx, cancel := context.WithTimeout(l.ctx, scanTime)
	defer cancel()
	began := time.Now()
	read, err := l.ask(ctx)
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	defer close(scan.done)
	early := l.early
	l.scan, l.early = nil, nil
	if scan.err = err; err != nil {
		if l.read != nil {
			l.due = time.Now().Add(listAge)
		}
		return
	}
	l.read, l.fresh, l.sorted = read, map[string]TopicInfo{}, nil
	l.shown = nil
	l.stale, l.sortAfter = false, time.Time{}
	for _, e := range early {
		l.count(e)
	}
	for part, pos := range posted { // the log has given these
		if pos.Compare(l.through[part]) > 0 {
			l.through[part] = pos
		}
	}
	l.due = time.Now().Add(max(listAge, scanShare*took))
}

func (l *topicList) ask(ctx context.Context) (*readTopics, error) {
	read := &readTopics{infos: map[string]TopicInfo{}}
	for part := range l.log.Partitions() {
		found, err := l.log.Topics(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, info := range found {
			read.infos[info.Topic] = info
			if public(info.Topic) {
				read.public = append(read.public, info)
			}
		}
	}
	slices.SortFunc(read.public, newestFirst)
	return read, nil
}
