//go:build race

package main_test

// raceFlag builds the server under test with the race detector too.
var raceFlag = []string{"-race"}
