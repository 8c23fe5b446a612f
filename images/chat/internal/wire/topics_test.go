package wire

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"chatapp/chat/internal/chat"
)

func TestAppendTime(t *testing.T) {
	times := []time.Time{
		{}, time.UnixMilli(0), time.UnixMilli(-1), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, 2, 29, 1, 2, 3, 4_000_000, time.FixedZone("", 3600)),
	}
	for range 1000 {
		times = append(times, time.UnixMilli(rand.Int64N(4e12)))
	}
	for _, at := range times {
		want := `"` + at.UTC().Format(timeLayout) + `"`
		if got := string(AppendTime([]byte("x"), at)); got != "x"+want {
			t.Errorf("%s; want x%s", got, want)
		}
	}
}

func TestAppendTopics(t *testing.T) {
	list := []chat.TopicInfo{
		{Topic: "a \"b\" \u2028 é", Messages: 12, Last: chat.ID{Pos: chat.Pos{Ms: 1_700_000_000_123}}},
		{Topic: "~room", Messages: 1, Last: chat.ID{Pos: chat.Pos{Ms: 5, Seq: 1}, Part: 3}},
	}
	for name, b := range map[string][]byte{
		"the last page": AppendTopics(nil, list, map[string]string{"~room": "Tea & cake"}, chat.ID{}),
		"a page":        AppendTopics(nil, list, nil, list[1].Last),
		"none":          AppendTopics(nil, nil, nil, chat.ID{}),
	} {
		var got struct {
			Topics []struct {
				Topic, Last string
				Room        *string
				Messages    int64
			}
			Next *string
		}
		if err := json.Unmarshal(b, &got); err != nil || got.Topics == nil {
			t.Fatalf("%s: %s: %v", name, b, err)
		}
		if (got.Next != nil) != (name == "a page") || got.Next != nil && *got.Next != list[1].Last.String() {
			t.Errorf("%s: next is %v", name, got.Next)
		}
		if name == "none" {
			continue
		}
		first, second := got.Topics[0], got.Topics[1]
		if first.Topic != list[0].Topic || first.Messages != 12 || first.Last != "2023-11-14T22:13:20.123Z" || first.Room != nil {
			t.Errorf("%s: the first is %+v", name, first)
		}
		if (second.Room != nil) != (name == "the last page") || second.Room != nil && *second.Room != "Tea & cake" {
			t.Errorf("%s: the second is %+v", name, second)
		}
	}
}
