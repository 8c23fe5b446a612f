package people

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"chatapp/chat/internal/chat"
)

// Filters lists the filters that an account has saved, by name.
func (s *Service) Filters(ctx context.Context, who Account) ([]SavedFilter, error) {
	list, err := s.dir.Filters(ctx, who.ID)
	return list, failed(err)
}

// SaveFilter keeps a filter under a name, in place of the one that was there,
// and gives it as it is kept.
func (s *Service) SaveFilter(ctx context.Context, who Account, f SavedFilter) (SavedFilter, error) {
	name, ok := chat.Line(f.Name, chat.MaxName)
	if !ok {
		return f, badName("name", chat.MaxName)
	}
	f.Name = name
	if s.options.CheckFilter != nil {
		if err := s.options.CheckFilter(f.Filter); err != nil {
			return f, err
		}
	}
	err := s.dir.SaveFilter(ctx, who.ID, f)
	switch {
	case errors.Is(err, ErrTooMany):
		err = refusal(chat.CodeConflict, "an account saves at most %d filters", MaxFilters)
	case errors.Is(err, ErrNone):
		err = errToken()
	}
	return f, failed(err)
}

// DeleteFilter removes a saved filter: not_found when it is not there.
func (s *Service) DeleteFilter(ctx context.Context, who Account, name string) error {
	line, ok := chat.Line(name, chat.MaxName)
	if !ok {
		return noFilter() // nothing has such a name
	}
	err := s.dir.DeleteFilter(ctx, who.ID, line)
	if errors.Is(err, ErrNone) {
		return noFilter()
	}
	return failed(err)
}

func noFilter() error {
	return &chat.Error{Code: chat.CodeNotFound, Message: "there is no filter of that name; GET /api/v1/filters lists yours"}
}

// SortedFilters lists filters by name.
func SortedFilters(byName map[string]string) []SavedFilter {
	list := make([]SavedFilter, 0, len(byName))
	for name, filter := range byName {
		list = append(list, SavedFilter{Name: name, Filter: filter})
	}
	slices.SortFunc(list, func(a, b SavedFilter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
