//go:build !futurekind

package chat

// kindFuture is a kind that only the binary of a test has: see kind_future.go.
const kindFuture = KindMessage

func kindOf(d Draft) Kind {
	if IsRoom(d.Topic) {
		return KindRoom
	}
	return KindMessage
}
