package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"chatapp/generator/internal/wire"
)

const (
	// pageSize is how many messages are asked for at a time when a topic is
	// read back; pageTries how often a page is tried.
	pageSize  = 200
	pageTries = 4
	// pageTimeout bounds one HTTP request.
	pageTimeout = 10 * time.Second
	// bodyLimit bounds what is read of an answer, bytes.
	bodyLimit = 16 << 20
)

// faults says what is wrong with a page of a topic: it must be no longer than
// asked for, of its topic, in order, and before the id given.
func faults(page []*wire.Message, topic, before string, limit int) []string {
	var wrong []string
	if len(page) > limit {
		wrong = append(wrong, "more messages than asked for")
	}
	ordered, own := true, true
	for i, m := range page {
		ordered = ordered && (i == 0 || page[i-1].ID < m.ID)
		own = own && m.Topic == topic
	}
	if !ordered {
		wrong = append(wrong, "page out of order")
	}
	if !own {
		wrong = append(wrong, "page of another topic")
	}
	if before != "" && len(page) > 0 && page[len(page)-1].ID >= before {
		wrong = append(wrong, "page not before the message asked for")
	}
	return wrong
}

// query is the path of a page of history.
func query(topic, before string, limit int) string {
	q := url.Values{"topic": {topic}, "limit": {fmt.Sprint(limit)}}
	if before != "" {
		q.Set("before", before)
	}
	return "/api/v1/messages?" + q.Encode()
}

// get fetches a path from a chat: status and body.
func (w *Worker) get(ctx context.Context, base, path string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	answer, err := w.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, bodyLimit))
	return answer.StatusCode, body, err
}

// readBack is a topic's whole history, oldest first. Pages may end early, so it
// goes on until more is false. progress is called after each page.
func (w *Worker) readBack(ctx context.Context, topic string, progress func()) ([]*wire.Message, error) {
	var pages [][]*wire.Message
	before, number := "", 0
	rng := random("%s/back", topic)
	for {
		page, more, err := w.page(ctx, func() string { return w.target(rng, "") }, query(topic, before, pageSize))
		if err != nil {
			return nil, err
		}
		if wrong := faults(page, topic, before, pageSize); len(wrong) > 0 {
			return nil, errors.New(wrong[0])
		}
		pages = append(pages, page)
		number += len(page)
		progress()
		if !more {
			break
		}
		if len(page) == 0 {
			return nil, errors.New("an empty page that says that there is more")
		}
		before = page[0].ID
	}
	out := make([]*wire.Message, 0, number)
	for i := len(pages) - 1; i >= 0; i-- {
		out = append(out, pages[i]...)
	}
	return out, nil
}

// page is one page, tried a few times.
func (w *Worker) page(ctx context.Context, target func() string, path string) ([]*wire.Message, bool, error) {
	reason := ""
	for range pageTries {
		status, body, err := w.get(ctx, target(), path)
		if err != nil {
			reason = "no answer"
			continue
		}
		if status != http.StatusOK {
			reason = fmt.Sprintf("status %d", status)
			continue
		}
		return wire.Page(body)
	}
	return nil, false, fmt.Errorf("no page after %d tries: %s", pageTries, reason)
}
