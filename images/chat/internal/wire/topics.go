package wire

import (
	"strconv"

	"chatapp/chat/internal/chat"
)

// AppendTopics appends a page of the list of topics. names has the names of
// rooms by topic; next is what to go on after, the zero ID for the last page.
func AppendTopics(b []byte, topics []chat.TopicInfo, names map[string]string, next chat.ID) []byte {
	b = append(b, `{"topics":[`...)
	for i, t := range topics {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"topic":`...), t.Topic)
		if name := names[t.Topic]; name != "" {
			b = appendString(append(b, `,"room":`...), name)
		}
		b = strconv.AppendInt(append(b, `,"messages":`...), t.Messages, 10)
		b = AppendTime(append(b, `,"last":`...), t.Last.Time())
		b = append(b, '}')
	}
	b = append(b, ']')
	if next != (chat.ID{}) {
		b = appendString(append(b, `,"next":`...), next.String())
	}
	return append(b, '}')
}
