package chat

import "encoding/binary"

// A record is how a store keeps one event of the log: a byte, the kind; then
// fields, each as uvarint length and bytes. All kinds have this form. Fields
// that a later version adds come last, and an older reader ignores them.
//
// A message has the fields key, name, email, content; then, where one of them
// is not empty, reply_to (an ID's text) and account.

// AppendRecord appends the record of an event; its topic and its place are the
// store's to keep.
func (e Event) AppendRecord(b []byte) []byte {
	b = append(b, byte(e.Kind))
	for _, field := range [...]string{e.Draft.Key, e.Draft.Name, e.Draft.Email, e.Draft.Content} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	if e.Draft.ReplyTo != (ID{}) || e.Draft.Account != "" {
		for _, field := range [...]string{e.Draft.replyText(), e.Draft.Account} {
			b = binary.AppendUvarint(b, uint64(len(field)))
			b = append(b, field...)
		}
	}
	return b
}

// ParseRecord makes an event of what a store has at a position. It never
// fails: what cannot be read is an event of KindDamaged, and what a later
// version has written has a kind that is not Known. The strings of the event
// are parts of record.
func ParseRecord(at ID, topic, record string) Event {
	if record == "" || Kind(record[0]) == KindDamaged {
		return Damaged(at, topic)
	}
	e := Event{ID: at, Kind: Kind(record[0]), Draft: Draft{Topic: topic}}
	if !e.Kind.Known() {
		return e
	}
	rest := record[1:]
	for _, field := range [...]*string{&e.Draft.Key, &e.Draft.Name, &e.Draft.Email, &e.Draft.Content} {
		var ok bool
		if *field, rest, ok = cutField(rest); !ok {
			return Damaged(at, topic)
		}
	}
	if rest == "" {
		return e
	}
	var parent string
	for _, field := range [...]*string{&parent, &e.Draft.Account} {
		if rest == "" {
			break
		}
		var ok bool
		if *field, rest, ok = cutField(rest); !ok {
			return Damaged(at, topic)
		}
	}
	if parent != "" {
		var err error
		if e.Draft.ReplyTo, err = ParseID(parent); err != nil {
			return Damaged(at, topic)
		}
	}
	return e
}

// Damaged is the event of a position where nothing can be read; topic is ""
// where not even that is known.
func Damaged(at ID, topic string) Event {
	return Event{ID: at, Kind: KindDamaged, Draft: Draft{Topic: topic}}
}

// RecordSize is the Size of the event in a record, of whatever kind. So an
// older version subtracts for an event what a later one has added for it. For a
// damaged record it is about right.
func RecordSize(topic, record string) int {
	size := len(topic)
	if record == "" {
		return size
	}
	for rest := record[1:]; rest != ""; {
		field, after, ok := cutField(rest)
		if !ok {
			return size + len(rest)
		}
		size, rest = size+len(field), after
	}
	return size
}

// cutField takes the first field off.
func cutField(s string) (field, rest string, ok bool) {
	n, used := uvarint(s)
	if used <= 0 || n > uint64(len(s)-used) {
		return "", "", false
	}
	return s[used : used+int(n)], s[used+int(n):], true
}

// uvarint is binary.Uvarint on a string, sparing the copy.
func uvarint(s string) (v uint64, used int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen32; i++ {
		if s[i] < 0x80 {
			return v | uint64(s[i])<<(7*i), i + 1
		}
		v |= uint64(s[i]&0x7f) << (7 * i)
	}
	return 0, 0
}
