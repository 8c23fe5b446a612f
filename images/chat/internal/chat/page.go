package chat

import "slices"

// PageBytes is where a page of history ends: with the message that reaches so
// many bytes of JSON, however many were asked for. A message takes at most
// 27 KB of them, so a page stays below 96 KiB.
const PageBytes = 64 << 10

// messageOverhead is what JSON adds to the fields of a message, with every
// optional one: names, punctuation, id, time, numbers. It is rounded up.
const messageOverhead = 300

// pageSize is about how many bytes of a page a message takes.
func pageSize(m *Message) int {
	return messageOverhead + len(m.Key) + jsonSize(m.Topic) + jsonSize(m.Name) + jsonSize(m.Email) + jsonSize(m.Content)
}

// jsonSize is how many bytes of JSON a text takes, without its quotes. (What
// is not UTF-8 takes more; only a damaged log could hold it.)
func jsonSize(text string) int {
	n := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ':
			n += len(`\u0001`) - 1
		case c == '"', c == '\\':
			n++
		}
	}
	return n
}

// lastPage gives as many of the last messages, which are in order, as make a
// page of at most limit: one at the least.
func lastPage(messages []Message, limit int) []Message {
	messages = messages[max(0, len(messages)-limit):]
	size := 0
	for i := range slices.Backward(messages) {
		if size >= PageBytes {
			return messages[i+1:]
		}
		size += pageSize(&messages[i])
	}
	return messages
}

// lastPageAndOne is lastPage with the message before it, if there is one: so
// much has to be read to know the page and whether there is an older one. full
// reports whether there is.
func lastPageAndOne(messages []Message, limit int) (_ []Message, full bool) {
	page := lastPage(messages, limit)
	if len(page) == len(messages) {
		return messages, false
	}
	return messages[len(messages)-len(page)-1:], true
}
