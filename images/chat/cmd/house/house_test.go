package main

import (
	"os"
	"reflect"
	"sync"
	"testing"
)

// opened is this module, compiled once for all tests.
var opened = sync.OnceValues(func() (*house, error) { return open(".") })

// TestPictureIsCurrent fails when the picture in the document is not that of
// the code: run make house.
func TestPictureIsCurrent(t *testing.T) {
	t.Parallel()
	h, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := h.draw()
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile("../../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := embed(string(old), picture)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(old) {
		t.Error("the picture in docs/architecture.md is an old one: run make house")
	}
}

// TestNoCircles fails when packages use each other in a circle, or files of one
// package do, in whatever package.
func TestNoCircles(t *testing.T) {
	t.Parallel()
	h, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	if circles := h.imports().circles(); circles != nil {
		t.Errorf("packages import each other: %v", circles)
	}
	for _, p := range h.packages {
		files, err := h.files(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := files.circle(); err != nil {
			t.Errorf("in %s: %v", p.name(), err)
		}
	}
}

func TestCircles(t *testing.T) {
	t.Parallel()
	g := graph{}
	for _, arrow := range [][2]string{{"a", "b"}, {"b", "c"}, {"a", "c"}, {"c", "d"}} {
		g.arrow(arrow[0], arrow[1])
	}
	if circles := g.circles(); circles != nil {
		t.Errorf("circles %v where there are none", circles)
	}
	if levels := g.levels(); !reflect.DeepEqual(levels, [][]string{{"d"}, {"c"}, {"b"}, {"a"}}) {
		t.Errorf("levels %v", levels)
	}
	if r := g.reduced(); r["a"]["c"] || !r["a"]["b"] || !r["b"]["c"] {
		t.Errorf("reduced to %v; want no arrow that follows from others", r)
	}
	g.arrow("d", "b")
	g.arrow("e", "e")
	if circles := g.circles(); !reflect.DeepEqual(circles, [][]string{{"b", "c", "d"}, {"e"}}) {
		t.Errorf("circles %v", circles)
	}
}
