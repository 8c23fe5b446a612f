package chat

import (
	"crypto/sha256"
	"encoding/binary"
)

// KeyDigest names an attempt to post, in the memory of a log: the key, for
// this address and this topic. It is of fixed size, since each is kept for a
// day and more. 128 bits of SHA-256: nobody makes two attempts that collide.
type KeyDigest [16]byte

// KeyDigest gives the digest of the draft's key.
func (d Draft) KeyDigest() KeyDigest {
	var room [256]byte // enough for nearly all, without an allocation
	b := room[:0]
	for _, field := range [...]string{FoldAddress(d.Email), d.Topic, d.Key} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	sum := sha256.Sum256(b)
	return KeyDigest(sum[:16])
}
