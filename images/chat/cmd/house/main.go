// Command house draws which packages of this module import which, and which
// files of a large package use which. It writes the picture into a document,
// between two marks:
//
//	go run ./cmd/house ../../docs/architecture.md
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: house DOCUMENT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "house: %v\n", err)
		os.Exit(1)
	}
}

func run(document string) error {
	h, err := open(".")
	if err != nil {
		return err
	}
	picture, err := h.draw()
	if err != nil {
		return err
	}
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	text, err := embed(string(old), picture)
	if err != nil {
		return err
	}
	return os.WriteFile(document, []byte(text), 0o644)
}
