package feed

import "testing"

// TestRelations checks what the comments of the constants say of each other.
func TestRelations(t *testing.T) {
	for what, holds := range map[string]bool{
		"the window serves what one attach may answer":   MaxAttach < windowItems,
		"the preload fits the window":                    preload <= windowItems,
		"a look at the log ends before the next but one": callWait < 2*watchPeriod,
	} {
		if !holds {
			t.Error(what, "no longer holds")
		}
	}
}
