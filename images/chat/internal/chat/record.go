package chat

import (
	"encoding/binary"
	"errors"
)

// A record is how a store keeps one event of the log: a kind, then the
// message's fields, each as uvarint length and bytes. Fields that a later
// version adds come last, so that an older reader may ignore them.
//
// So far the only kind of event is a message.
const recordMessage = 'm'

// AppendRecord appends the record of a message; its topic and place are the
// store's to keep.
func AppendRecord(b []byte, d Draft) []byte {
	b = append(b, recordMessage)
	for _, field := range [...]string{d.Key, d.Name, d.Email, d.Content} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

var errRecord = errors.New("not a record of the message log: the data is damaged, or of a later version")

// ParseRecord reads a record of the given topic.
func ParseRecord(topic, record string) (Draft, error) {
	if record == "" || record[0] != recordMessage {
		return Draft{}, errRecord
	}
	d := Draft{Topic: topic}
	rest := record[1:]
	for _, field := range [...]*string{&d.Key, &d.Name, &d.Email, &d.Content} {
		n, used := uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return Draft{}, errRecord
		}
		*field, rest = rest[used:used+int(n)], rest[used+int(n):]
	}
	return d, nil
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
