//go:build !futurekind

package chat

// kindFuture is a kind that only the binary of a test has: see kind_future.go.
// This version has no messages of it.
const kindFuture = 'm'

func isFuture(string) bool { return false }
