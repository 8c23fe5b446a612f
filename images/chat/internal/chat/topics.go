package chat

import (
	"fmt"
	"slices"
)

// TopicSet is what a subscriber wants: every public topic, or those named.
// The zero value is no topic. It is not changed after it is made.
type TopicSet struct {
	All   bool
	Names []string // sorted, without repeats; empty when All
}

// AllTopics is every public topic, those that come into being later too.
var AllTopics = TopicSet{All: true}

// MaxTopics is how many topics one subscriber may name.
const MaxTopics = 256

// NewTopicSet cleans and checks names; "*" means every public topic. An error
// is CodeBadFrame and says what to send.
func NewTopicSet(names []string) (TopicSet, error) {
	if slices.Contains(names, "*") {
		return AllTopics, nil
	}
	if len(names) > MaxTopics {
		return TopicSet{}, &Error{Code: CodeBadFrame, Message: fmt.Sprintf(`topics: name at most %d, or send ["*"] for all`, MaxTopics)}
	}
	set := TopicSet{Names: make([]string, 0, len(names))}
	for _, name := range names {
		topic, err := CleanTopic(name)
		if err != nil {
			return TopicSet{}, &Error{Code: CodeBadFrame, Message: AsError(err).Message}
		}
		set.Names = append(set.Names, topic)
	}
	slices.Sort(set.Names)
	set.Names = slices.Compact(set.Names)
	return set, nil
}

// Has reports whether a topic belongs to the set.
func (s TopicSet) Has(topic string) bool {
	if s.All {
		return true
	}
	_, found := slices.BinarySearch(s.Names, topic)
	return found
}

// inPartition gives what to ask of a partition: "" for all, or the names of
// the set that live there.
func (s TopicSet) inPartition(part, partitions int) []string {
	if s.All {
		return []string{""}
	}
	var names []string
	for _, name := range s.Names {
		if PartitionOf(name, partitions) == part {
			names = append(names, name)
		}
	}
	return names
}
