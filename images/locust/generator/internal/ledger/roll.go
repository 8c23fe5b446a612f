package ledger

import "strings"

// Entry is a message on a roll: its id, its place in its stream, when it was
// sent (µs).
type Entry struct {
	ID     string
	Poster string
	Seq    int
	Sent   int64
}

// place is a message's place: a sequence number of a poster, in one topic.
type place struct {
	poster string
	seq    int
}

// Roll lists each message of a topic that this process was shown, once, in the
// order first seen: its ordinal is the place in Entries. Readers keep ranges of
// ordinals, so their memory grows with disorder, not with messages × readers.
type Roll struct {
	Entries []Entry
	// ordinals: id → ordinal of the message first seen under it.
	ordinals map[string]int
	// places: (poster, seq) → ordinal at which it was first seen.
	places map[place]int
	// others: messages seen under an id that another message had before.
	others map[Entry]int
	// twins: ordinal of a message's second id → ordinal of its first one.
	twins map[int]int
	// names: every poster's name, once.
	names map[string]string
	// misnamed: messages with a second id, and second messages of an id.
	misnamed []Entry
}

func newRoll() *Roll {
	return &Roll{
		ordinals: map[string]int{}, places: map[place]int{}, others: map[Entry]int{}, twins: map[int]int{},
		names: map[string]string{},
	}
}

// ordinal of a message, given now if it was never seen here.
func (r *Roll) ordinal(id string, mark Mark) int {
	found, known := r.ordinals[id]
	if known && r.Entries[found].Seq == mark.Seq && r.Entries[found].Poster == mark.Poster {
		return found
	}
	// Copies: what a frame holds would keep the whole frame in memory.
	id = strings.Clone(id)
	mark.Poster = r.name(mark.Poster)
	entry := Entry{id, mark.Poster, mark.Seq, mark.Sent()}
	made := len(r.Entries)
	if !known {
		r.ordinals[id] = made
	} else {
		if other, ok := r.others[entry]; ok {
			return other
		}
		r.others[entry] = made
	}
	r.Entries = append(r.Entries, entry)
	at := place{mark.Poster, mark.Seq}
	first, twice := r.places[at]
	if twice {
		r.twins[made] = first
	} else {
		r.places[at] = made
	}
	if known || twice {
		r.misnamed = append(r.misnamed, entry)
	}
	return made
}

// name is the roll's own copy of a poster's name.
func (r *Roll) name(poster string) string {
	own, known := r.names[poster]
	if !known {
		own = strings.Clone(poster)
		r.names[own] = own
	}
	return own
}
