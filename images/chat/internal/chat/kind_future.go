//go:build futurekind

package chat

import "strings"

// With the build tag futurekind this is a later version, which has one more
// kind of event: a message whose content begins with "future ". The tests of
// cmd/chat run it beside the present version, on one log.
const kindFuture = 'f'

func isFuture(content string) bool { return strings.HasPrefix(content, "future ") }
