package people

import (
	"cmp"
	"slices"
)

// SortedFilters lists filters by name.
func SortedFilters(byName map[string]string) []SavedFilter {
	list := make([]SavedFilter, 0, len(byName))
	for name, filter := range byName {
		list = append(list, SavedFilter{Name: name, Filter: filter})
	}
	slices.SortFunc(list, func(a, b SavedFilter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
