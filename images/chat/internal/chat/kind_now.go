//go:build !futurekind

package chat

// kindFuture is a kind that only the binary of a test has: see kind_future.go.
const kindFuture = KindMessage

func kindOf(Draft) Kind { return KindMessage }
