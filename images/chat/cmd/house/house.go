package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// large is how many lines a package has whose files are drawn, too.
const large = 1000

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir, Export string
	GoFiles, Imports        []string
	Module                  *struct {
		Path string
		Main bool
	}
}

func (p *pkg) ours() bool { return p.Module != nil && p.Module.Main }

// name is the package's path in the module.
func (p *pkg) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, p.Module.Path), "/")
}

// house is this module: its packages, and what was compiled of all that they
// import.
type house struct {
	packages []*pkg
	exports  map[string]string // file of export data by import path
}

// open lists the module. dir is in it. It compiles what has changed.
func open(dir string) (*house, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Imports,Module", "chatapp/chat/...")
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &complaints)
	}
	h := &house{exports: map[string]string{}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return h, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		h.exports[p.ImportPath] = p.Export
		if p.ours() {
			h.packages = append(h.packages, &p)
		}
	}
}

// imports is which packages of the module import which. Tests do not count.
func (h *house) imports() graph {
	byPath := map[string]*pkg{}
	for _, p := range h.packages {
		byPath[p.ImportPath] = p
	}
	g := graph{}
	for _, p := range h.packages {
		g.add(p.name())
		for _, path := range p.Imports {
			if other := byPath[path]; other != nil {
				g.arrow(p.name(), other.name())
			}
		}
	}
	return g
}

// files is which files of a package use what is declared in which others.
type files struct {
	graph
	lines int                           // all have together
	names map[[2]string]map[string]bool // by arrow: what the first uses of the second
}

// files reads the files of a package. A method belongs to its type, in
// whichever file it stands. Tests do not count.
func (h *house) files(p *pkg) (*files, error) {
	fset := token.NewFileSet()
	var parsed []*ast.File
	g := &files{graph: graph{}, names: map[[2]string]map[string]bool{}}
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
		g.lines += bytes.Count(text, []byte("\n"))
		g.add(name)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(h.exports[path])
	})}
	own, err := config.Check(p.ImportPath, fset, parsed, &info)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", p.ImportPath, err)
	}
	for ident, object := range info.Uses {
		if object.Pkg() != own || !object.Pos().IsValid() {
			continue
		}
		if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
			object = typeOf(f.Signature().Recv())
		}
		from, to := fset.Position(ident.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from == to {
			continue
		}
		g.arrow(from, to)
		arrow := [2]string{from, to}
		if g.names[arrow] == nil {
			g.names[arrow] = map[string]bool{}
		}
		g.names[arrow][object.Name()] = true
	}
	return g, nil
}

// typeOf gives the named type of a receiver, or the receiver if it has none.
func typeOf(receiver *types.Var) types.Object {
	t := types.Unalias(receiver.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj()
	}
	return receiver
}

// circle says which files use each other, and what of each other.
func (g *files) circle() error {
	var b strings.Builder
	for _, circle := range g.circles() {
		for _, from := range circle {
			for _, to := range circle {
				if names := g.names[[2]string{from, to}]; names != nil {
					fmt.Fprintf(&b, "\n\t%s uses of %s: %s", from, to, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
				}
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return errors.New("files use each other:" + b.String())
}

// draw gives the picture of the module. A circle is an error.
func (h *house) draw() (string, error) {
	var b strings.Builder
	rooms := h.imports()
	if circles := rooms.circles(); len(circles) > 0 {
		return "", fmt.Errorf("packages import each other: %v", circles)
	}
	b.WriteString("Packages. Arrows that follow from others are left out.\n\n" + rooms.picture())
	for _, p := range h.packages {
		files, err := h.files(p)
		if err != nil {
			return "", err
		}
		if files.lines <= large {
			continue
		}
		if err := files.circle(); err != nil {
			return "", fmt.Errorf("in %s: %w", p.name(), err)
		}
		fmt.Fprintf(&b, "\nThe files of `%s`.\n\n%s", p.name(), files.picture())
	}
	return b.String(), nil
}

const (
	begin = "<!-- made by make house: begin -->\n"
	end   = "<!-- made by make house: end -->\n"
)

// embed puts the picture between the marks of a document.
func embed(document, picture string) (string, error) {
	before, rest, ok1 := strings.Cut(document, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		return "", fmt.Errorf("the document lacks the lines %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + picture + end + after, nil
}
