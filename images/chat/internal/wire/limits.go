package wire

import "chatapp/chat/internal/chat"

// Sizes of what a client may send, in bytes. A valid message fits in whatever
// way its JSON is written: MaxFrame is at least largestPost, which follows
// from the limits of the fields. limits_test.go holds it at its edge.
const (
	// MaxFrame is the largest frame, and the largest body of an HTTP post.
	MaxFrame = 64 << 10

	// escapedPoint is the most that JSON makes of one code point: a pair of
	// surrogates, escaped (\ud83d\ude00). ASCII takes half of it at most.
	escapedPoint = 12
	escapedASCII = 6
	// decomposedPoint is the most that one code point of a line can be before
	// it is put into NFC: four of the Basic Multilingual Plane (U+1F82, say),
	// or two beyond it.
	decomposedPoint = 4 * escapedASCII
	// postPunctuation is the braces, colons, commas, quotes, and the escaped
	// names of the fields and of the type.
	postPunctuation = len(`{}`) + 6*len(`"":""`) + 5*len(`,`) + escapedASCII*len("typekeytopicnameemailcontentpost")

	largestPost = postPunctuation + chat.MaxKey*escapedASCII + (chat.MaxTopic+chat.MaxName)*decomposedPoint +
		escapedASCII + (chat.MaxEmail-1)*escapedPoint + // an address has an at sign
		chat.MaxContent*escapedPoint

	_ = uint(MaxFrame - largestPost) // does not compile when a post does not fit
)

// Defaults and bounds of a frame's numbers and of ref.
const (
	DefaultLimit = 50
	MaxLimit     = chat.MaxHistory
	MaxRef       = 64 // code points

	// maxEcho is how many bytes of a key or ref are sent back with an error:
	// also one that is no key or is too long, so that the client knows what
	// was refused, but nothing of an absurd size.
	maxEcho = 256
)

// Echo gives a key or ref as an error sends it back; empty if it is too long.
func Echo(s string) string {
	if len(s) > maxEcho {
		return ""
	}
	return s
}
