package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// graph has an arrow from each name to those that it uses.
type graph map[string]map[string]bool

func (g graph) add(name string) {
	if g[name] == nil {
		g[name] = map[string]bool{}
	}
}

func (g graph) arrow(from, to string) {
	g.add(from)
	g.add(to)
	g[from][to] = true
}

func (g graph) names() []string { return slices.Sorted(maps.Keys(g)) }

// circles gives the groups of names that use each other, in a circle.
func (g graph) circles() [][]string {
	reach := map[string]map[string]bool{}
	for name := range g {
		reach[name] = map[string]bool{}
		g.walk(name, reach[name])
	}
	var all [][]string
	done := map[string]bool{}
	for _, a := range g.names() {
		if done[a] || !reach[a][a] {
			continue
		}
		var circle []string
		for _, b := range g.names() {
			if reach[a][b] && reach[b][a] {
				circle = append(circle, b)
				done[b] = true
			}
		}
		all = append(all, circle)
	}
	return all
}

func (g graph) walk(from string, seen map[string]bool) {
	for to := range g[from] {
		if !seen[to] {
			seen[to] = true
			g.walk(to, seen)
		}
	}
}

// levels orders a graph without circles: level 0 uses nothing, and all arrows
// go to a lower level.
func (g graph) levels() [][]string {
	level := map[string]int{}
	var find func(string) int
	find = func(name string) int {
		if n, known := level[name]; known {
			return n
		}
		n := 0
		for to := range g[name] {
			n = max(n, find(to)+1)
		}
		level[name] = n
		return n
	}
	var levels [][]string
	for _, name := range g.names() {
		n := find(name)
		for len(levels) <= n {
			levels = append(levels, nil)
		}
		levels[n] = append(levels[n], name)
	}
	return levels
}

// reduced leaves out the arrows that follow from others, for the picture.
func (g graph) reduced() graph {
	r := graph{}
	for from, tos := range g {
		r.add(from)
		for to := range tos {
			implied := false
			for other := range tos {
				below := map[string]bool{}
				g.walk(other, below)
				implied = implied || other != to && below[to]
			}
			if !implied {
				r.arrow(from, to)
			}
		}
	}
	return r
}

// picture draws a graph without circles as Mermaid text, the users above what
// they use.
func (g graph) picture() string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	id := map[string]string{}
	for i, name := range g.names() {
		id[name] = fmt.Sprint("n", i)
	}
	for _, level := range slices.Backward(g.levels()) {
		for _, name := range level {
			fmt.Fprintf(&b, "  %s[\"%s\"]\n", id[name], name)
		}
	}
	r := g.reduced()
	for _, from := range r.names() {
		for _, to := range slices.Sorted(maps.Keys(r[from])) {
			fmt.Fprintf(&b, "  %s --> %s\n", id[from], id[to])
		}
	}
	b.WriteString("```\n")
	return b.String()
}
