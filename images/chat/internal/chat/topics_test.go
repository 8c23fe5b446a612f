package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNewTopicSet(t *testing.T) {
	many := make([]string, MaxTopics+1)
	for i := range many {
		many[i] = fmt.Sprintf("topic-%03d", i)
	}
	for name, c := range map[string]struct {
		names []string
		want  TopicSet
	}{
		"none":           {nil, TopicSet{Names: []string{}}},
		"all":            {[]string{"*"}, AllTopics},
		"all and one":    {[]string{"tea", "*"}, AllTopics},
		"sorted, once":   {[]string{"tea", " cake", "tea "}, TopicSet{Names: []string{"cake", "tea"}}},
		"as many as may": {many[:MaxTopics], TopicSet{Names: many[:MaxTopics]}},
		"star in a name": {[]string{"**"}, TopicSet{Names: []string{"**"}}},
		"as long as may": {[]string{strings.Repeat("é", MaxTopic)}, TopicSet{Names: []string{strings.Repeat("é", MaxTopic)}}},
		"in two forms":   {[]string{"caf\u00e9", "cafe\u0301"}, TopicSet{Names: []string{"caf\u00e9"}}},
	} {
		got, err := NewTopicSet(c.names)
		if err != nil || got.All != c.want.All || !slices.Equal(got.Names, c.want.Names) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	for name, names := range map[string][]string{
		"too many": many, "empty": {""}, "blank": {"tea", "\t "}, "too long": {strings.Repeat("é", MaxTopic+1)}, "newline": {"a\nb"}, "star with space": {" *"}, "invisible": {"\u200b"}, "not UTF-8": {"\xff"},
	} {
		if got, err := NewTopicSet(names); AsError(err).Code != CodeBadFrame || err == nil {
			t.Errorf("%s: %v, %v; want bad_frame", name, got, err)
		}
	}
}

func TestTopicSetHas(t *testing.T) {
	set := TopicSet{Names: []string{"cake", "tea"}}
	if !set.Has("tea") || set.Has("jam") || (TopicSet{}).Has("tea") || !AllTopics.Has("anything") {
		t.Error("Has is wrong")
	}
	names := 0
	for part := range 5 {
		for _, name := range set.inPartition(part, 5) {
			names++
			if PartitionOf(name, 5) != part {
				t.Errorf("%s is not in partition %d", name, part)
			}
		}
	}
	if names != 2 {
		t.Errorf("%d names over all partitions; want 2", names)
	}
}

// TestPartitionOf pins the hash: every process, of every version, must agree.
func TestPartitionOf(t *testing.T) {
	for topic, want := range map[string]int{"general": 11, "tea": 9, "": 5, "🙂": 11} {
		if got := PartitionOf(topic, 16); got != want {
			t.Errorf("PartitionOf(%q, 16) = %d; want %d", topic, got, want)
		}
	}
}

func TestCursorText(t *testing.T) {
	c := Cursor{Epoch: 7, Pos: []Pos{{Ms: 1, Seq: 2, Idx: 3}, MaxPos}}
	back, err := ParseCursor(c.String())
	if err != nil || back.Epoch != 7 || !slices.Equal(back.Pos, c.Pos) {
		t.Errorf("%q is read back as %v, %v", c.String(), back, err)
	}
	clone := c.Clone()
	clone.Pos[0] = MaxPos
	if c.Pos[0] == MaxPos {
		t.Error("a clone shares its positions")
	}
	good := c.String()
	for _, s := range []string{
		"", "1", "yesterday", good[1:], "2" + good[1:], good[:len(good)-1], good + "0", strings.ToUpper(good),
		strings.Replace(good, "0", "g", 1), "1" + strings.Repeat("0", 16+22*(MaxPartitions+1)),
	} {
		if got, err := ParseCursor(s); err == nil {
			t.Errorf("ParseCursor(%.60q) = %v; want an error", s, got)
		}
	}
}
