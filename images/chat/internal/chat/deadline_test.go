package chat_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/chat/internal/chat"
)

// hungLog takes appends and never answers.
type hungLog struct{ chat.Log }

func (hungLog) Partitions() int { return 1 }

func (hungLog) Append(ctx context.Context, _ int, _ []chat.Event) ([]chat.Appended, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// With a log that hangs, each post is answered within its timeout, however
// many wait before it: here, about all that the queue takes.
func TestEachPostIsAnsweredInItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout, posts = 5 * time.Second, 40_000
		s := chat.NewService(hungLog{}, chat.Options{AppendTimeout: timeout})
		s.Start()
		answered := make(chan time.Duration, posts)
		for i := range posts {
			at := time.Now()
			s.PostFunc(chat.Guest, chat.Draft{
				Key: fmt.Sprint("k", i), Topic: "t", Name: "n", Email: "e@example.org", Content: "c",
			}, func(_ chat.Message, _ bool, err error) {
				if chat.AsError(err).Code != chat.CodeUnavailable {
					t.Errorf("answered %v", err)
				}
				answered <- time.Since(at)
			})
			if i%256 == 0 {
				time.Sleep(20 * time.Millisecond) // 3 s over all
			}
		}
		var longest time.Duration
		for range posts {
			longest = max(longest, <-answered)
		}
		if longest > timeout {
			t.Errorf("a post was answered after %s, its timeout is %s", longest, timeout)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
