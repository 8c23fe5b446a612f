package ledger

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"chatapp/generator/internal/ranges"
)

// The master's half of the ledger, for the golden cases alone: it runs in
// Python (chatload/canon.py), and so do masters of this generator.

// establishAll makes the canons of all topics with a book, and the verdict on
// them. kept: how many messages the server says it keeps; 0: all.
func establishAll(books map[Stream]*Book, histories map[string]History, kept int) (map[string]*Canon, Verdict) {
	var v Verdict
	byTopic := map[string]map[string]*Book{}
	acknowledged := 0
	for stream, book := range books {
		if byTopic[stream.Topic] == nil {
			byTopic[stream.Topic] = map[string]*Book{}
		}
		byTopic[stream.Topic][stream.Poster] = book
		acknowledged += book.Acknowledged
	}
	canons := map[string]*Canon{}
	for topic, own := range byTopic {
		history, read := histories[topic]
		canons[topic] = establish(own, history, read, kept > 0 && kept <= acknowledged, &v)
	}
	return canons, v
}

func establish(books map[string]*Book, history History, read, mayBeCut bool, v *Verdict) *Canon {
	found := map[place]Entry{}
	sizes := map[string]int{}
	for poster, book := range books {
		sizes[poster] = len(book.IDs)
		v.Sent += len(book.IDs)
		v.Acknowledged += book.Acknowledged
		v.Indeterminate += len(book.IDs) - book.Acknowledged
		v.Misnamed += book.Renamed
		if book.Renamed > 0 {
			v.example("a retry was given a second id")
		}
		before := ""
		for seq, id := range book.IDs {
			if id == "" {
				continue
			}
			found[place{poster, seq}] = Entry{id, poster, seq, book.SentAt[seq]}
			if id <= before {
				v.Reordered++
				v.example("acknowledged before its forerunner")
			}
			before = max(before, id)
		}
	}
	kept := map[place]bool{}
	if read {
		compare(sizes, history, found, kept, mayBeCut, v)
	} else {
		v.Unread++
	}
	entries := make([]Entry, 0, len(found))
	for _, e := range found {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Poster, b.Poster), cmp.Compare(a.Seq, b.Seq))
	})
	var indexes *ranges.Set
	if read {
		indexes = &ranges.Set{}
		for i, e := range entries {
			if kept[place{e.Poster, e.Seq}] {
				indexes.Push(i)
			}
		}
	}
	return NewCanon(entries, indexes, sizes)
}

func compare(sizes map[string]int, history History, found map[place]Entry, kept map[place]bool, mayBeCut bool, v *Verdict) {
	v.Corrupt += history.Corrupt
	acknowledged := map[place]Entry{}
	for at, e := range found {
		acknowledged[at] = e
	}
	byID := map[string]Entry{}
	for _, e := range history.Entries {
		at := place{e.Poster, e.Seq}
		if e.Seq >= sizes[e.Poster] {
			v.Unexpected++
			v.example("the history has what was never sent")
			continue
		}
		if _, ok := found[at]; !ok {
			found[at] = e
		}
		if _, ok := byID[e.ID]; found[at].ID == e.ID && !ok {
			byID[e.ID] = e
		}
		if found[at].ID != e.ID || byID[e.ID] != e {
			v.Misnamed++
			v.example(fmt.Sprintf("%s's %d has two ids", e.Poster, e.Seq))
			if !kept[at] {
				found[at] = e // the log's id is the one that orders
			}
		}
		kept[at] = true
	}
	oldest := ""
	if mayBeCut {
		oldest = "\x7f"
		if len(history.Entries) > 0 {
			oldest = history.Entries[0].ID
		}
	}
	for at := range acknowledged {
		if kept[at] {
			continue
		}
		if found[at].ID < oldest {
			v.Unproven++
		} else {
			v.Vanished++
			v.example("acknowledged, and not in the history")
		}
	}
}

func merge(v *Verdict, part Verdict) {
	to, from := reflect.ValueOf(v).Elem(), reflect.ValueOf(part)
	for i := range to.NumField() {
		if to.Field(i).Kind() == reflect.Int {
			to.Field(i).SetInt(to.Field(i).Int() + from.Field(i).Int())
		}
	}
	v.Examples = append(v.Examples, part.Examples...)
}

// gone: shown, and the history does not have it even at a second look.
func gone(v *Verdict, topic string, ids, again []string) {
	for _, id := range ids {
		if !slices.Contains(again, id) {
			v.Vanished++
			v.example(topic + ": shown and not in the history")
		}
	}
}
