// Package ranges keeps sets of integers as ranges: what keeps the ledger's
// memory small however long a run is.
package ranges

import (
	"sort"
)

// Set is a set of integers as sorted, disjoint, half-open ranges. Its memory
// is proportional to the number of gaps, not of members. The zero value is
// empty. Not for concurrent use.
type Set struct {
	// low0, high0, low1, high1, …; strictly increasing, so that a bisection
	// finds any member.
	edges []int
}

// Of makes a set from edges (low0, high0, low1, …), which it copies.
func Of(edges ...int) Set { return Set{append([]int(nil), edges...)} }

// left is the first index whose edge is not below v, right the first above it.
func left(edges []int, v int) int { return sort.SearchInts(edges, v) }
func right(edges []int, v int) int {
	return sort.Search(len(edges), func(i int) bool { return edges[i] > v })
}

// splice replaces edges[i:j] by with.
func (s *Set) splice(i, j int, with ...int) {
	tail := append([]int(nil), s.edges[j:]...)
	s.edges = append(append(s.edges[:i], with...), tail...)
}

// Add puts every integer of [low, high) into the set; an empty range changes
// nothing.
func (s *Set) Add(low, high int) {
	if low >= high {
		return
	}
	// Ranges that overlap or touch [low, high) melt into it: an odd index is
	// inside a range.
	i, j := left(s.edges, low), right(s.edges, high)
	var with []int
	if i%2 == 0 {
		with = append(with, low)
	}
	if j%2 == 0 {
		with = append(with, high)
	}
	s.splice(i, j, with...)
}

// Push puts one integer into the set, and says whether it was not there. It is
// cheapest where it is the next one after the greatest.
func (s *Set) Push(v int) bool {
	if n := len(s.edges); n > 0 && s.edges[n-1] == v {
		s.edges[n-1] = v + 1
		return true
	}
	if s.Has(v) {
		return false
	}
	s.Add(v, v+1)
	return true
}

// Remove takes every integer of [low, high) out of the set.
func (s *Set) Remove(low, high int) {
	if low >= high {
		return
	}
	i, j := left(s.edges, low), right(s.edges, high)
	var with []int
	if i%2 == 1 {
		with = append(with, low)
	}
	if j%2 == 1 {
		with = append(with, high)
	}
	s.splice(i, j, with...)
}

// Has says whether v is in the set.
func (s Set) Has(v int) bool { return right(s.edges, v)%2 == 1 }

// Len is the number of integers in the set.
func (s Set) Len() int {
	n := 0
	for i := 0; i < len(s.edges); i += 2 {
		n += s.edges[i+1] - s.edges[i]
	}
	return n
}

// Empty says whether nothing is in the set.
func (s Set) Empty() bool { return len(s.edges) == 0 }

// Edges are the ranges as low0, high0, low1, …: the form that travels. They
// are not to be changed.
func (s Set) Edges() []int { return s.edges }

// Minus is a new set: the members that are not in o.
func (s Set) Minus(o Set) Set {
	out := Of(s.edges...)
	for i := 0; i < len(o.edges); i += 2 {
		out.Remove(o.edges[i], o.edges[i+1])
	}
	return out
}

// Within is a new set: the members in [low, high).
func (s Set) Within(low, high int) Set {
	if low >= high {
		return Set{}
	}
	i, j := right(s.edges, low), left(s.edges, high)
	var out []int
	if i%2 == 1 {
		out = append(out, low)
	}
	out = append(out, s.edges[i:j]...)
	if j%2 == 1 {
		out = append(out, high)
	}
	return Set{out}
}

// Common is a new set: the members that are in o too.
func (s Set) Common(o Set) Set {
	var out []int
	for i := 0; i < len(s.edges); i += 2 {
		out = append(out, o.Within(s.edges[i], s.edges[i+1]).edges...)
	}
	return Set{out}
}
