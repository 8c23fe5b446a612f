package live

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
)

// fill posts n messages to eight topics, over all partitions, and gives them
// in order. Contents are their numbers.
func fill(store *memStore, n int) []chat.Message {
	all := make([]chat.Message, n)
	for i := range all {
		all[i] = store.post(fmt.Sprint("fill", i), fmt.Sprint("topic-", i*7%8), fmt.Sprint(i))
		if i%3 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	return all
}

// byID is the order of a merged list: messages of one millisecond, in different
// partitions, were not posted in it.
func byID(a, b chat.Message) int { return a.ID.Compare(b.ID) }

// missed is what a subscriber of some topics has to get after a position,
// topic by topic.
func missed(all []chat.Message, topics chat.TopicSet, pos []chat.Pos) map[string]string {
	by := map[string][]string{}
	for _, m := range all {
		if topics.Has(m.Topic) && m.ID.Pos.Compare(pos[m.ID.Part]) > 0 {
			by[m.Topic] = append(by[m.Topic], m.Content)
		}
	}
	return joined(by)
}

func (c *client) byTopic() map[string]string {
	by := map[string][]string{}
	for _, e := range c.got("welcome", "messages") {
		for _, m := range e.frame.Messages {
			by[m.Topic] = append(by[m.Topic], m.Content)
		}
	}
	return joined(by)
}

func joined(by map[string][]string) map[string]string {
	text := map[string]string{}
	for topic, contents := range by {
		text[topic] = strings.Join(contents, " ")
	}
	return text
}

func names(topics chat.TopicSet) string {
	if topics.All {
		return `["*"]`
	}
	return `["` + strings.Join(topics.Names, `","`) + `"]`
}

// topicSets are none, one, many and all of fill's topics.
func topicSets(t *testing.T) []chat.TopicSet {
	t.Helper()
	sets := []chat.TopicSet{{}, chat.AllTopics}
	for _, names := range [][]string{{"topic-3"}, {"topic-0", "topic-1", "topic-5"}, {"topic-2", "nobody's"}} {
		set, err := chat.NewTopicSet(names)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	return sets
}

func hello(topics chat.TopicSet, cursor string, limit int) string {
	list := names(topics)
	if !topics.All && len(topics.Names) == 0 {
		list = "[]"
	}
	return fmt.Sprintf(`{"type":"hello","topics":%s,"cursor":%q,"limit":%d}`, list, cursor, limit)
}

// TestResumeFromEveryPosition resumes from every position of a log that the
// window holds whole, and from positions of a longer one before, at and after
// the beginning of the window, with every kind of topic set.
func TestResumeFromEveryPosition(t *testing.T) {
	for _, c := range []struct{ partitions, messages, step int }{{1, 60, 1}, {3, 60, 1}, {1, 2048 + 700, 677}, {4, 2048 + 700, 677}} {
		t.Run(fmt.Sprintf("%d messages in %d partitions", c.messages, c.partitions), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemStore(c.partitions)
				all := fill(store, c.messages)
				p := start(t, store, Config{})
				defer p.close()
				synctest.Wait()
				epoch := p.snapshot().Epoch
				pos := make([]chat.Pos, c.partitions)
				for i := 0; i <= len(all); i++ {
					if i > 0 {
						pos[all[i-1].ID.Part] = all[i-1].ID.Pos
					}
					if i%c.step != 0 && i != len(all) {
						continue
					}
					cursor := chat.Cursor{Epoch: epoch, Pos: pos}.String()
					for _, topics := range topicSets(t) {
						conn := p.join(hello(topics, cursor, 0))
						synctest.Wait()
						w := conn.got("welcome")
						if len(w) != 1 || !w[0].frame.Recovered {
							t.Fatalf("after %d messages, %s: welcome %+v; want one, recovered", i, names(topics), w)
						}
						if got, want := fmt.Sprint(conn.byTopic()), fmt.Sprint(missed(all, topics, pos)); got != want {
							t.Fatalf("after %d messages, %s:\n got %.300s\nwant %.300s", i, names(topics), got, want)
						}
						older := slices.ContainsFunc(all[:i], func(m chat.Message) bool { return topics.Has(m.Topic) })
						if w[0].frame.More != older {
							t.Errorf("after %d messages, %s: more %v; want %v", i, names(topics), w[0].frame.More, older)
						}
						if back, err := chat.ParseCursor(conn.cursor()); err != nil || len(missed(all, topics, back.Pos)) > 0 {
							t.Errorf("after %d messages, %s: the last cursor does not say that all was sent", i, names(topics))
						}
						conn.leave()
					}
				}
			})
		})
	}
}

func TestCursorsThatCannotBeHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemStore(2)
		all := fill(store, 100)
		store.cut(0, 20)
		p := start(t, store, Config{})
		defer p.close()
		synctest.Wait()
		v := p.snapshot()
		floor := store.parts[0].floor
		past := slices.Clone(v.Head)
		past[1] = past[1].Next()
		for name, c := range map[string]struct {
			cursor    chat.Cursor
			recovered bool
		}{
			"the end":                      {chat.Cursor{Epoch: v.Epoch, Pos: v.Head}, true},
			"at the floor":                 {chat.Cursor{Epoch: v.Epoch, Pos: []chat.Pos{floor, {}}}, true},
			"before the floor by one":      {chat.Cursor{Epoch: v.Epoch, Pos: []chat.Pos{{Ms: floor.Ms - 1, Seq: floor.Seq, Idx: floor.Idx}, {}}}, false},
			"the beginning":                {chat.Cursor{Epoch: v.Epoch, Pos: []chat.Pos{{}, {}}}, false},
			"after the end":                {chat.Cursor{Epoch: v.Epoch, Pos: past}, false},
			"of another log":               {chat.Cursor{Epoch: v.Epoch + 1, Pos: v.Head}, false},
			"of a log with one partition":  {chat.Cursor{Epoch: v.Epoch, Pos: v.Head[:1]}, false},
			"of a log with more":           {chat.Cursor{Epoch: v.Epoch, Pos: append(slices.Clone(v.Head), chat.Pos{})}, false},
			"of a log without a partition": {chat.Cursor{Epoch: v.Epoch}, false},
		} {
			conn := p.join(hello(chat.AllTopics, c.cursor.String(), 7))
			synctest.Wait()
			w := conn.got("welcome")
			if len(w) != 1 || w[0].frame.Recovered != c.recovered {
				t.Errorf("%s: %+v; want recovered %v", name, w, c.recovered)
			} else if f := w[0].frame; !c.recovered {
				latest := ""
				for _, m := range f.Messages {
					latest += m.Content + " "
				}
				want := ""
				slices.SortFunc(all, byID)
				for _, m := range all[93:] {
					want += m.Content + " "
				}
				if latest != want || !f.More {
					t.Errorf("%s: %s, more %v; want the latest 7: %s", name, latest, f.More, want)
				}
			}
			conn.leave()
		}
	})
}

// TestLatest asks for the latest messages of each kind of topic set, within
// the window and past it.
func TestLatest(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			store := newMemStore(partitions)
			rare := store.post("rare", "rare", "rare")
			all := append([]chat.Message{rare}, fill(store, 2048+900)...)
			slices.SortFunc(all, byID)
			p := start(t, store, Config{})
			defer p.close()
			synctest.Wait()
			sets := append(topicSets(t), chat.TopicSet{Names: []string{"rare"}}, chat.TopicSet{Names: []string{"rare", "topic-3"}})
			for _, topics := range sets {
				for _, limit := range []int{0, 1, 50, 200} {
					conn := p.join(hello(topics, "", limit))
					synctest.Wait()
					var of []chat.Message
					for _, m := range all {
						if topics.Has(m.Topic) {
							of = append(of, m)
						}
					}
					var want []string
					for _, m := range of[max(0, len(of)-limit):] {
						want = append(want, m.Content)
					}
					w := conn.got("welcome")
					if len(w) != 1 || conn.contents() != strings.Join(want, " ") || w[0].frame.More != (len(of) > limit) {
						t.Errorf("%d partitions, %s, limit %d:\n got %.200s, %+v\nwant %.200s", partitions, names(topics), limit, conn.contents(), len(w), strings.Join(want, " "))
					}
					conn.leave()
				}
			}
		})
	}
}

func TestSubscribeReplacesTheTopics(t *testing.T) {
	bubble(t, 3, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.join(`{"type":"hello","topics":["tea"]}`)
		synctest.Wait()
		n := 0
		round := func() {
			for _, topic := range []string{"tea", "cake", "jam"} {
				n++
				time.Sleep(time.Millisecond)
				store.post(fmt.Sprint("k", n), topic, fmt.Sprint(topic, n))
			}
			synctest.Wait()
		}
		round()
		c.say(`{"type":"subscribe","topics":["cake","jam"]}`)
		synctest.Wait()
		round()
		c.say(`{"type":"subscribe","topics":[]}`)
		synctest.Wait()
		round()
		c.say(`{"type":"subscribe","topics":["*"]}`)
		synctest.Wait()
		round()
		var story []string
		for _, e := range c.got("welcome", "messages") {
			line := e.kind
			for _, m := range e.frame.Messages {
				line += " " + m.Content
			}
			if e.kind == "welcome" && e.frame.Recovered {
				t.Error("a welcome without a cursor says recovered")
			}
			story = append(story, line)
		}
		want := []string{
			"welcome",
			"messages tea1",
			"welcome cake2 jam3",
			"messages cake5", "messages jam6",
			"welcome",
			"welcome tea1 cake2 jam3 tea4 cake5 jam6 tea7 cake8 jam9",
			"messages tea10", "messages cake11", "messages jam12",
		}
		if !slices.Equal(story, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(story, "\n"), strings.Join(want, "\n"))
		}
		c.leave()
	})
}

func TestAnotherLog(t *testing.T) {
	bubble(t, 2, Config{}, func(t *testing.T, p *pod, store *memStore) {
		fill(store, 30)
		c := p.join(hello(chat.AllTopics, "", 10))
		synctest.Wait()
		cursor := c.cursor()
		store.empty()
		fill(store, 3)
		<-c.done
		if e := c.got("close")[0]; e.code != 1001 || e.at > 5*time.Second {
			t.Errorf("closed with %d after %v; want 1001 within two looks at the log", e.code, e.at)
		}
		again := p.join(hello(chat.AllTopics, cursor, 10))
		synctest.Wait()
		w := again.got("welcome")
		if len(w) != 1 || w[0].frame.Recovered || again.contents() != "0 1 2" {
			t.Errorf("welcome %+v with %q; want the new log's messages, not recovered", w, again.contents())
		}
		store.post("after", "tea", "after")
		synctest.Wait()
		if again.contents() != "0 1 2 after" {
			t.Errorf("got %q", again.contents())
		}
		again.leave()
	})
}

// TestManyInOneFrame lets messages gather behind a reader that pauses.
func TestManyInOneFrame(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.connect()
		c.say(`{"type":"hello","limit":0}`)
		c.hear() // welcome
		c.hear() // presence
		for i := range 20 {
			store.post(fmt.Sprint("k", i), "tea", fmt.Sprint(i))
			synctest.Wait()
		}
		c.hear()
		c.hear()
		frames := c.got("messages")
		if len(frames) != 2 || len(frames[0].frame.Messages) != 1 || len(frames[1].frame.Messages) != 19 {
			t.Errorf("%d frames; want the one under way and one with all that gathered", len(frames))
		}
		if back, err := chat.ParseCursor(c.cursor()); err != nil || !slices.Equal(back.Pos, p.snapshot().Head) {
			t.Error("the joined frame's cursor is not the last message's")
		}
		c.leave()
	})
}

// TestJoinedFramesAreBounded lets more gather than one frame may hold.
func TestJoinedFramesAreBounded(t *testing.T) {
	bubble(t, 1, Config{}, func(t *testing.T, p *pod, store *memStore) {
		c := p.connect()
		c.say(`{"type":"hello","limit":0}`)
		c.hear()
		c.hear()
		want := ""
		for i := range 100 {
			store.post(fmt.Sprint("k", i), "tea", fmt.Sprint(i)+strings.Repeat("x", rand.IntN(3000)))
			want += fmt.Sprint(i) + " "
			synctest.Wait()
		}
		got, frames := "", 0
		for strings.Count(got, " ") < 100 {
			_, data, err := c.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if frames++; len(data) > maxJoined+1024 {
				t.Errorf("a frame of %d bytes; want at most about %d", len(data), maxJoined)
			}
			for _, part := range strings.Split(string(data), `"content":"`)[1:] {
				number, _, _ := strings.Cut(part, "x")
				number, _, _ = strings.Cut(number, `"`)
				got += number + " "
			}
		}
		if got != want || frames < 4 || frames > 20 {
			t.Errorf("%d frames with %s", frames, got)
		}
		c.leave()
	})
}
