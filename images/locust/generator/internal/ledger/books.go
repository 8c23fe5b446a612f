package ledger

// Stream is one poster in one topic. A poster has at most one unanswered post
// at a time, so within a stream sequence numbers, ids and log order all run
// the same way.
type Stream struct{ Topic, Poster string }

// Book is what was put on the wire in one stream. A sequence number is the
// place in both lists.
type Book struct {
	// IDs are those of the acknowledgements, "" where there was none.
	IDs []string
	// SentAt is when each was first put on the wire, µs of the lab's clock.
	SentAt []int64
	// Acknowledged counts them; Renamed those acknowledged again with another id.
	Acknowledged, Renamed int
}

// Send takes the next sequence number at now (µs); the caller puts it on the
// wire.
func (b *Book) Send(now int64) int {
	b.IDs = append(b.IDs, "")
	b.SentAt = append(b.SentAt, now)
	return len(b.IDs) - 1
}

// Ack notes that the server has seq in the log under id.
func (b *Book) Ack(seq int, id string) {
	switch b.IDs[seq] {
	case "":
		b.IDs[seq] = id
		b.Acknowledged++
	case id:
	default:
		b.Renamed++
	}
}

// PackBooks is the form in which books travel to the master.
func PackBooks(books map[Stream]*Book) []any {
	out := make([]any, 0, len(books))
	for stream, book := range books {
		out = append(out, []any{stream.Topic, stream.Poster, book.IDs, book.SentAt, book.Renamed})
	}
	return out
}
