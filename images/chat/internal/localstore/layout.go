package localstore

import (
	"encoding/binary"

	"chatapp/chat/internal/chat"
)

// The buckets of the file. A position is 11 bytes, big endian, so that the
// order of keys is the order of the log.
//
//	meta    "epoch" → 8 bytes; "head", "floor" → position; "count", "bytes" → 8 bytes
//	log     position → topic, NUL, record (chat.AppendRecord)
//	topics  topic → position of its last message, messages so far (8 bytes)
//	places  topic, NUL, position → nothing: where a topic's messages are
//	keys    key → position of its message
//	ages    position → key: which keys to forget next
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

	allBuckets = [][]byte{bucketMeta, bucketLog, bucketTopics, bucketPlaces, bucketKeys, bucketAges}

	metaEpoch = []byte("epoch")
	metaHead  = []byte("head")
	metaFloor = []byte("floor")
	metaCount = []byte("count")
	metaBytes = []byte("bytes")
)

const posSize = 6 + 4 + 1

func posKey(p chat.Pos) []byte {
	b := make([]byte, 0, posSize)
	b = append(b, byte(p.Ms>>40), byte(p.Ms>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Ms))
	b = binary.BigEndian.AppendUint32(b, p.Seq)
	return append(b, p.Idx)
}

func readPos(b []byte) chat.Pos {
	return chat.Pos{
		Ms:  uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(binary.BigEndian.Uint32(b[2:])),
		Seq: binary.BigEndian.Uint32(b[6:]),
		Idx: b[10],
	}
}

func placeKey(topic string, p chat.Pos) []byte {
	return append(append([]byte(topic), 0), posKey(p)...)
}

func topicValue(last chat.Pos, messages uint64) []byte {
	return binary.BigEndian.AppendUint64(posKey(last), messages)
}

func readTopic(v []byte) (last chat.Pos, messages uint64) {
	return readPos(v), binary.BigEndian.Uint64(v[posSize:])
}

func readCount(v []byte) int64 {
	if v == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(v))
}

func countValue(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
