// Package trouble keeps account of what a store cannot do at the moment, and
// why. Each cause is logged once when it begins and once when it is over. It is
// counted, and readyz can tell it.
package trouble

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// calm is how long nothing may fail before a cause is said to be over. A store
// at its limit refuses one write and takes the next, smaller one: without it
// the log would tell each turn.
const calm = 5 * time.Second

// Access is a kind of access to a store.
type Access string

// The two kinds of access. What can be written can be read as well.
const (
	Reads  Access = "reads"
	Writes Access = "writes"
)

// Cause is why an access failed.
type Cause struct {
	Code   string // one word, of a small set: OOM, say
	Reason string // what the store does, in words for anybody: "is full"
}

// Book is the account of one store. All methods may be called from many
// goroutines at once. The zero value is no book: New makes one.
type Book struct {
	store  string
	log    *slog.Logger
	failed func(Access, string)
	open   atomic.Int64 // places in trouble

	mu     sync.Mutex
	spells map[spellOf]*spell
	places map[placeOf]Cause // the last cause, of each place that is in trouble
	notes  map[string]string // by topic
	closed bool
}

type spellOf struct {
	access Access
	code   string
}

type placeOf struct {
	place  string
	access Access
}

// spell is the time in which one cause lasts, wherever it shows.
type spell struct {
	since    time.Time
	failures int
	places   map[string]bool // those in trouble; none while it may be over

	worked time.Time   // when the last place worked again
	over   *time.Timer // ends the spell when it stays calm; nil while places are in trouble
}

// New makes the book of a store of this name. failed, if not nil, is told the
// access and the code of each failure; it must not block.
func New(store string, log *slog.Logger, failed func(Access, string)) *Book {
	return &Book{
		store: store, log: log, failed: failed,
		spells: map[spellOf]*spell{}, places: map[placeOf]Cause{}, notes: map[string]string{},
	}
}

// Failed notes that an access to a place has failed. err is for the log.
func (b *Book) Failed(place string, access Access, c Cause, err error) {
	if b.failed != nil {
		b.failed(access, c.Code)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places[placeOf{place, access}] = c
	b.open.Store(int64(len(b.places)))
	of := spellOf{access, c.Code}
	s := b.spells[of]
	if s == nil {
		s = &spell{since: time.Now(), places: map[string]bool{}}
		b.spells[of] = s
		b.log.Warn(b.store+" trouble begins", "access", access, "cause", c.Code, "where", place, "error", err)
	}
	s.failures++
	s.places[place] = true
	if s.over != nil {
		s.over.Stop()
		s.over = nil
	}
}

// Works notes that an access to a place has succeeded. A write proves that
// reads work, too.
func (b *Book) Works(place string, access Access) {
	if b.open.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.works(place, access)
	if access == Writes {
		b.works(place, Reads)
	}
	b.open.Store(int64(len(b.places)))
}

func (b *Book) works(place string, access Access) {
	if _, troubled := b.places[placeOf{place, access}]; !troubled {
		return
	}
	delete(b.places, placeOf{place, access})
	for of, s := range b.spells {
		if of.access != access || !s.places[place] {
			continue
		}
		if delete(s.places, place); len(s.places) == 0 {
			s.worked = time.Now()
			if b.closed {
				b.over(of, s)
				continue
			}
			s.over = time.AfterFunc(calm, func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.spells[of] == s && len(s.places) == 0 && time.Since(s.worked) >= calm {
					b.over(of, s)
				}
			})
		}
	}
}

// over ends a spell and says so. mu is held.
func (b *Book) over(of spellOf, s *spell) {
	delete(b.spells, of)
	b.log.Info(b.store+" trouble is over", "access", of.access, "cause", of.code,
		"failures", s.failures, "after", s.worked.Sub(s.since).Round(time.Millisecond))
}

// Close says at once what is over. What ends after it is said without waiting
// for calm.
func (b *Book) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for of, s := range b.spells {
		if s.over != nil {
			s.over.Stop()
			b.over(of, s)
		}
	}
}

// In reports whether an access to a place is in trouble.
func (b *Book) In(place string, access Access) bool {
	if b.open.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, troubled := b.places[placeOf{place, access}]
	return troubled
}

// Note sets the sentence about a topic; "" removes it. It is for what is wrong
// although nothing fails yet. It is logged when it changes.
func (b *Book) Note(topic, sentence string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch was := b.notes[topic]; {
	case was == sentence:
	case sentence == "":
		delete(b.notes, topic)
		b.log.Info(b.store+" trouble is over", "was", was)
	default:
		b.notes[topic] = sentence
		b.log.Error(b.store+" trouble begins", "error", sentence)
	}
}

// Sentences says what does not work, one sentence for each access and cause.
func (b *Book) Sentences() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	places := map[spellOf][]string{}
	reasons := map[spellOf]string{}
	for at, c := range b.places {
		of := spellOf{at.access, c.Code}
		places[of] = append(places[of], at.place)
		reasons[of] = c.Reason
	}
	order := slices.SortedFunc(maps.Keys(places), func(x, y spellOf) int {
		return cmp.Or(-cmp.Compare(x.access, y.access), cmp.Compare(x.code, y.code)) // writes first
	})
	var list []string
	for _, of := range order {
		slices.Sort(places[of])
		since := ""
		if s := b.spells[of]; s != nil {
			since = fmt.Sprintf(" for %s", time.Since(s.since).Round(time.Second))
		}
		list = append(list, fmt.Sprintf("%s of %s fail%s: %s %s (%s)", of.access, strings.Join(places[of], ", "), since, b.store, reasons[of], of.code))
	}
	for _, topic := range slices.Sorted(maps.Keys(b.notes)) {
		list = append(list, b.notes[topic])
	}
	return list
}
