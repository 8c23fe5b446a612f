package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
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

// FoldAddress gives one form to all addresses that are the same: those that
// NFC and simple case folding make equal. It is for comparing, not for showing.
func FoldAddress(address string) string {
	folded := true // most are
	for i := range len(address) {
		if c := address[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			folded = false
			break
		}
	}
	if folded {
		return address
	}
	address = norm.NFC.String(address)
	b := make([]byte, 0, len(address))
	for _, r := range address {
		b = utf8.AppendRune(b, foldRune(r))
	}
	return string(b)
}

// foldRune gives one letter to all letters that differ in case alone: the
// small ASCII letter if there is one, else the least of them.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
