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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// large is how many lines a package has whose files are drawn, too.
const large = 1000

// crooked are the large packages in which files use each other in a circle.
// Such files are drawn in one box.
var crooked = map[string]bool{
	"internal/localstore": true,
	"internal/redisstore": true,
}

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

// uses is which files of a package use what is declared in which others, and
// how many lines they have together. A method belongs to its type, in whichever
// file it stands. Tests do not count.
func (h *house) uses(p *pkg) (g graph, lines int, err error) {
	fset := token.NewFileSet()
	var files []*ast.File
	g = graph{}
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, 0, err
		}
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, 0, err
		}
		files = append(files, f)
		lines += bytes.Count(text, []byte("\n"))
		g.add(name)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(h.exports[path])
	})}
	own, err := config.Check(p.ImportPath, fset, files, &info)
	if err != nil {
		return nil, 0, fmt.Errorf("check %s: %w", p.ImportPath, err)
	}
	for ident, object := range info.Uses {
		if object.Pkg() != own || !object.Pos().IsValid() {
			continue
		}
		if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
			object = typeOf(f.Signature().Recv())
		}
		from, to := fset.Position(ident.Pos()).Filename, fset.Position(object.Pos()).Filename
		if from != to {
			g.arrow(from, to)
		}
	}
	return g, lines, nil
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

// draw gives the picture of the module that dir is in. A circle is an error.
func draw(dir string) (string, error) {
	h, err := open(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	rooms := h.imports()
	if circles := rooms.circles(); len(circles) > 0 {
		return "", fmt.Errorf("packages import each other: %v", circles)
	}
	b.WriteString("Packages. Arrows that follow from others are left out.\n\n" + rooms.picture())
	for _, p := range h.packages {
		files, lines, err := h.uses(p)
		if err != nil {
			return "", err
		}
		if lines <= large {
			continue
		}
		if circles := files.circles(); len(circles) > 0 && !crooked[p.name()] {
			return "", fmt.Errorf("files of %s use each other: %v", p.name(), circles)
		}
		fmt.Fprintf(&b, "\nThe files of `%s`.\n\n%s", p.name(), files.condensed().picture())
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
