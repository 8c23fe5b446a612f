package ledger

import (
	"bytes"
	"fmt"
	"sort"

	"github.com/vmihailenco/msgpack/v5"

	"chatapp/generator/internal/ranges"
)

// Canon is every message of a topic that there is, in the order of ids; the
// index of a message is its place there. The master makes it from everybody's
// books and from the history.
type Canon struct {
	entries []Entry
	// kept are the indexes of those that the history has; known is false when
	// it could not be read.
	kept  ranges.Set
	known bool
	// sizes: poster → how many it put on the wire.
	sizes map[string]int
	index map[place]int
	// latest: at each index the earliest instant at which it or a later message
	// was sent.
	latest []int64
}

// NewCanon makes a canon of entries whose ids ascend. kept is nil when the
// history could not be read.
func NewCanon(entries []Entry, kept *ranges.Set, sizes map[string]int) *Canon {
	c := &Canon{
		entries: entries, sizes: sizes, known: kept != nil,
		index: make(map[place]int, len(entries)), latest: make([]int64, len(entries)),
	}
	if kept != nil {
		c.kept = *kept
	}
	earliest := int64(Always)
	for i := len(entries) - 1; i >= 0; i-- {
		c.index[place{entries[i].Poster, entries[i].Seq}] = i
		earliest = min(earliest, entries[i].Sent)
		c.latest[i] = earliest
	}
	return c
}

// packedCanon is the form that travels from the master. Posters are numbered in
// the order in which the sizes list them.
type packedCanon struct {
	//lint:ignore U1000 msgpack reads it
	_msgpack struct{}           `msgpack:",as_array"`
	Sizes    msgpack.RawMessage // a map whose order matters
	IDs      []string
	Who      []int
	Seqs     []int
	Sent     []int64
	Kept     *[]int
}

// UnpackCanon reads a canon in the form that travels.
func UnpackCanon(raw []byte) (*Canon, error) {
	var body packedCanon
	if err := msgpack.Unmarshal(raw, &body); err != nil {
		return nil, fmt.Errorf("read a canon: %w", err)
	}
	posters, sizes, err := orderedSizes(body.Sizes)
	if err != nil {
		return nil, fmt.Errorf("read a canon's posters: %w", err)
	}
	n := len(body.IDs)
	if len(body.Who) != n || len(body.Seqs) != n || len(body.Sent) != n {
		return nil, fmt.Errorf("read a canon: its columns are not of one length")
	}
	entries := make([]Entry, n)
	for i := range entries {
		who := body.Who[i]
		if who < 0 || who >= len(posters) {
			return nil, fmt.Errorf("read a canon: no poster %d", who)
		}
		entries[i] = Entry{body.IDs[i], posters[who], body.Seqs[i], body.Sent[i]}
	}
	var kept *ranges.Set
	if body.Kept != nil {
		set := ranges.Of(*body.Kept...)
		kept = &set
	}
	return NewCanon(entries, kept, sizes), nil
}

// orderedSizes reads a map of posters with the order in which it lists them.
func orderedSizes(raw msgpack.RawMessage) ([]string, map[string]int, error) {
	dec := msgpack.NewDecoder(bytes.NewReader(raw))
	n, err := dec.DecodeMapLen()
	if err != nil {
		return nil, nil, err
	}
	posters, sizes := make([]string, 0, max(n, 0)), map[string]int{}
	for range n {
		name, err := dec.DecodeString()
		if err != nil {
			return nil, nil, err
		}
		if sizes[name], err = dec.DecodeInt(); err != nil {
			return nil, nil, err
		}
		posters = append(posters, name)
	}
	return posters, sizes, nil
}

// after is the index of the first message after an id.
func (c *Canon) after(id string) int {
	return sort.Search(len(c.entries), func(i int) bool { return c.entries[i].ID > id })
}

// sentAfter is the index from which on every message was sent at instant (µs)
// or later.
func (c *Canon) sentAfter(instant int64) int {
	return sort.Search(len(c.latest), func(i int) bool { return c.latest[i] >= instant })
}

// start is the index of the first message that a reader is owed.
func (c *Canon) start(v *view) int {
	sent := c.sentAfter(v.at)
	if v.base.open {
		return sent
	}
	return min(sent, c.after(v.base.id))
}

// gap is the range of indexes that an announced gap may have swallowed.
func (c *Canon) gap(g gap) (low, high int) {
	high = c.sentAfter(g.at)
	if !g.base.open {
		high = min(high, c.after(g.base.id))
	}
	return c.after(g.low), high
}

// block is a stretch of ordinals [low, high) whose messages stand in the canon
// one after the other from index on.
type block struct{ low, high, index int }

// blocks says where the messages of a roll are; those that are not in the canon
// are in no block.
func (c *Canon) blocks(r *Roll) []block {
	var out []block
	low, at := -1, -1
	for ordinal, entry := range r.Entries {
		index, found := c.index[place{entry.Poster, entry.Seq}]
		if found && low >= 0 && index == at+ordinal-low {
			continue
		}
		if low >= 0 {
			out = append(out, block{low, ordinal, at})
		}
		low, at = -1, -1
		if found {
			low, at = ordinal, index
		}
	}
	if low >= 0 {
		out = append(out, block{low, len(r.Entries), at})
	}
	return out
}

// seenIn is the set of indexes of the ordinals seen.
func seenIn(blocks []block, seen ranges.Set) ranges.Set {
	var out ranges.Set
	edges := seen.Edges()
	for i := 0; i < len(edges); i += 2 {
		low, high := edges[i], edges[i+1]
		first := sort.Search(len(blocks), func(i int) bool { return blocks[i].low > low }) - 1
		for _, b := range blocks[max(0, first):] {
			if b.low >= high {
				break
			}
			from, to := max(low, b.low), min(high, b.high)
			out.Add(b.index+from-b.low, b.index+to-b.low)
		}
	}
	return out
}
