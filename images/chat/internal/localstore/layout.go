package localstore

import (
	"bytes"
	"encoding/binary"

	"chatapp/chat/internal/chat"
)

// The buckets of the file. A position is 11 bytes, big endian, so that the
// order of keys is the order of the log.
//
//	meta    "epoch" → 8 bytes; "head", "floor" → position; "count", "bytes" → 8 bytes
//	log     position → topic, NUL, record (chat.Event.AppendRecord)
//	topics  topic → position of its last event, events so far (8 bytes)
//	places  topic, NUL, position → nothing: where a topic's events are
//	keys    chat.KeyDigest → position of its event
//	ages    position → chat.KeyDigest: which keys to forget next
//
// and for the numbers beside messages:
//
//	numbers  position → rev, up, down, replies (8 bytes each), deleted (1), topic
//	votes    position, voter → vote (1 byte: 1 or 255)
//	replies  position, position of a direct reply → nothing
//	changes  rev → position: one for each of numbers
//
// What a later version puts behind the values of topics is not looked at. A
// file of an earlier version has keys themselves in place of digests; they are
// never asked for, and forgotten in time.
//
// A topic holds no control character, so NUL ends it and no topic's places
// lie among another's.
var (
	bucketMeta   = []byte("meta")
	bucketLog    = []byte("log")
	bucketTopics = []byte("topics")
	bucketPlaces = []byte("places")
	bucketKeys   = []byte("keys")
	bucketAges   = []byte("ages")

	bucketNumbers = []byte("numbers")
	bucketVotes   = []byte("votes")
	bucketReplies = []byte("replies")
	bucketChanges = []byte("changes")

	allBuckets = [][]byte{
		bucketMeta, bucketLog, bucketTopics, bucketPlaces, bucketKeys, bucketAges,
		bucketNumbers, bucketVotes, bucketReplies, bucketChanges,
	}

	metaEpoch = []byte("epoch")
	metaHead  = []byte("head")
	metaFloor = []byte("floor")
	metaCount = []byte("count")
	metaBytes = []byte("bytes")
)

const posSize = 6 + 4 + 1

func posKey(p chat.Pos) []byte { return appendPos(make([]byte, 0, posSize), p) }

func appendPos(b []byte, p chat.Pos) []byte {
	b = append(b, byte(p.Ms>>40), byte(p.Ms>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Ms))
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	return append(b, p.Idx)
}

// readPos reads the position that b begins with; false: b is damaged.
func readPos(b []byte) (p chat.Pos, ok bool) {
	if len(b) < posSize {
		return p, false
	}
	return chat.Pos{
		Ms:  uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(binary.BigEndian.Uint32(b[2:])),
		Seq: binary.BigEndian.Uint32(b[6:]),
		Idx: b[10],
	}, true
}

func placeKey(topic string, p chat.Pos) []byte {
	b := append(append(make([]byte, 0, len(topic)+1+posSize), topic...), 0)
	return appendPos(b, p)
}

func topicValue(last chat.Pos, count uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPos(make([]byte, 0, posSize+8), last), count)
}

// readTopic reads a value of topics; false: there is none, or it is damaged.
func readTopic(v []byte) (last chat.Pos, count uint64, ok bool) {
	if len(v) < posSize+8 {
		return last, 0, false
	}
	last, _ = readPos(v)
	return last, binary.BigEndian.Uint64(v[posSize:]), true
}

func readCount(v []byte) int64 {
	if len(v) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

// split gives the topic and the record of a value of log; without topic if it
// is damaged.
func split(v []byte) (topic, record []byte) {
	topic, record, ok := bytes.Cut(v, []byte{0})
	if !ok {
		return nil, nil
	}
	return topic, record
}

func topicOf(v []byte) string {
	topic, _ := split(v)
	return string(topic)
}

func sizeOf(v []byte) int {
	topic, record := split(v)
	return chat.RecordSize(string(topic), string(record))
}

// readEvent copies an event out of the database's memory.
func readEvent(at chat.Pos, v []byte) chat.Event {
	topic, record := split(v)
	return chat.ParseRecord(chat.ID{Pos: at}, string(topic), string(record))
}

func countValue(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
