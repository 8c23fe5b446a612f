package server

import (
	"net/http"
	"net/url"
	"strconv"

	"chatapp/chat/internal/chat"
)

// query is the parameters of a request. Its errors are CodeBadFrame and name
// the parameter.
type query url.Values

// readQuery reads the query of a request strictly. What cannot be read is an
// error: if a filter were left out, the client would get more than it asked
// for.
func readQuery(r *http.Request) (query, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("query: percent-encode what is no letter or digit, and separate parameters by &")
	}
	return query(q), nil
}

// text gives a parameter, and whether it is there.
func (q query) text(name string) (string, bool, error) {
	switch values := q[name]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, badRequest("%s: send it once", name)
}

// topic gives the topics that the parameter topic selects; every public one
// if it is absent.
func (q query) topic() (chat.TopicSet, error) {
	text, given, err := q.text("topic")
	if err != nil || !given {
		return chat.AllTopics, err
	}
	topic, err := chat.CleanTopic(text)
	if err != nil {
		return chat.TopicSet{}, badRequest("%s", chat.AsError(err).Message)
	}
	return chat.TopicSet{Names: []string{topic}}, nil
}

// id gives a parameter that is a message's id; the zero ID if it is absent or
// empty.
func (q query) id(name string) (chat.ID, error) {
	text, given, err := q.text(name)
	if err != nil || !given || text == "" {
		return chat.ID{}, err
	}
	id, err := chat.ParseID(text)
	if err != nil {
		return chat.ID{}, badRequest("%s: %v", name, err)
	}
	return id, nil
}

// limit gives the parameter limit, a whole number from 1 to most.
func (q query) limit(otherwise, most int) (int, error) {
	text, given, err := q.text("limit")
	if err != nil || !given {
		return otherwise, err
	}
	n, err := strconv.ParseUint(text, 10, 31) // unlike Atoi, no sign
	if err != nil || n < 1 || n > uint64(most) {
		return 0, badRequest("limit: send a whole number from 1 to %d", most)
	}
	return int(n), nil
}
