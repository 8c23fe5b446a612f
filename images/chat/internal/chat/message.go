// Package chat holds the language and the rules of the chat: what a message is,
// what makes one acceptable, what a log must promise (Log), and the use cases
// over it (Service). It imports no other package of this module. It knows
// neither HTTP nor logging. The time of a message comes from the log.
package chat

import (
	"fmt"
	"strings"
	"time"
)

// Limits of a message's fields; lengths are in Unicode code points. Those of
// a topic and of an address are MaxTopic and MaxEmail.
const (
	MaxKey     = 64
	MaxName    = 64
	MaxContent = 4000
)

// Draft is what a person hands in: a message before the log has taken it.
type Draft struct {
	Key     string // names the attempt, so that a retry is not a second message
	Topic   string
	Name    string
	Email   string
	Content string

	ReplyTo ID     // the message of the same topic that this one answers; zero: none
	Account string // of the sender, who held the address; empty for a guest
}

// replyText is ReplyTo as it is kept: empty where there is none.
func (d Draft) replyText() string {
	if d.ReplyTo == (ID{}) {
		return ""
	}
	return d.ReplyTo.String()
}

// Message is a draft that the log has taken, which never changes, and its
// numbers as they were when it was read.
type Message struct {
	ID ID
	Draft

	Tally
	Rev  Rev  // of the tally; zero: the message has no numbers
	Vote int8 // of whoever asked
}

// Time is when the log took the message.
func (m Message) Time() time.Time { return m.ID.Time() }

// Clean returns the draft as the log will keep it (topic and name as Line
// makes them), or a CodeBadMessage error that names the field and what is
// allowed.
func (d Draft) Clean() (Draft, error) {
	if !ValidKey(d.Key) {
		return d, badMessage(fmt.Sprintf("key: send 1 to %d characters of A-Z a-z 0-9 . _ : - (a UUID, say)", MaxKey))
	}
	topic, err := CleanTopic(d.Topic)
	if err != nil {
		return d, err
	}
	name, ok := Line(d.Name, MaxName)
	if !ok {
		return d, badMessage(fmt.Sprintf("name: send 1 to %d visible characters on one line", MaxName))
	}
	if !ValidAddress(d.Email) {
		return d, badMessage(fmt.Sprintf("email: send an address such as ann@example.org, without display name, at most %d characters", MaxEmail))
	}
	if strings.IndexByte(d.Content, 0) >= 0 {
		return d, badMessage("content: send it without U+0000")
	}
	if !ValidText(d.Content, MaxContent) {
		return d, badMessage(fmt.Sprintf("content: send 1 to %d characters, not only white space", MaxContent))
	}
	d.Topic, d.Name = topic, name
	return d, nil
}

// ValidKey reports whether key is 1 to MaxKey characters of A-Za-z0-9._:-.
func ValidKey(key string) bool {
	if key == "" || len(key) > MaxKey {
		return false
	}
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}
