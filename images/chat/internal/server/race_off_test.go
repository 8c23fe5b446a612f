//go:build !race

package server_test

// raceDetector says that it is on: code takes many times as long.
const raceDetector = false
