// Package documents holds what people read to what there is: links lead
// somewhere, commands exist, and a figure is the same wherever it stands.
package documents

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the project.
const root = "../.."

// unread are folders that hold no documents of ours.
var unread = []string{".git", ".venv", ".venv-api", ".cache", ".reports", "node_modules", "bin", "dist", "test-results", "playwright-report", ".pytest_cache", ".mypy_cache", ".ruff_cache"}

// files gives the files of the project whose names end in one of the suffixes, by
// path from the root.
func files(t *testing.T, suffixes ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(unread, entry.Name()) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() || !slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(path, s) }) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		found[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no files %v", suffixes)
	}
	return found
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchor  = regexp.MustCompile(`<a name="([^"]+)">`)
)

// anchors gives the names to which links into a document can lead: its headings
// as GitHub names them, and those that it gives itself.
func anchors(text string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r > 127 && r != '…' && r != '’':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		names = append(names, name)
	}
	for _, m := range anchor.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestLinks follows every relative link of every document.
func TestLinks(t *testing.T) {
	documents := files(t, ".md")
	for name, text := range documents {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			target, place, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := name
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s: there is no %s", name, m[1], path)
				continue
			}
			if place != "" && strings.HasSuffix(path, ".md") && !slices.Contains(anchors(documents[path]), place) {
				t.Errorf("%s links to %s: there is no such place in it", name, m[1])
			}
		}
	}
}

var (
	// A command: at the beginning of a line of code, behind a prompt, or in backticks.
	made   = regexp.MustCompile("(?m)(?:^ {4}|^\\s*\\$ |^|`|&& |#   )make ([^`#\n]+)")
	word   = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	target = regexp.MustCompile(`(?m)^([a-z0-9][a-z0-9-]*):`)
)

// TestMakeWords looks up every word that the documents tell people to make.
func TestMakeWords(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	seen := 0
	for name, text := range files(t, ".md") {
		for _, block := range append(fence.FindAllString(text, -1), regexp.MustCompile("(?m)^ {4}.*$|`[^`]*`").FindAllString(fence.ReplaceAllString(text, ""), -1)...) {
			for _, m := range made.FindAllStringSubmatch(block, -1) {
				for _, w := range strings.Fields(m[1]) {
					if !word.MatchString(w) {
						if strings.Contains(w, "=") {
							continue
						}
						break
					}
					seen++
					if !slices.Contains(targets, w) {
						t.Errorf("%s says \"make %s\": the Makefile has no %s", name, strings.TrimSpace(m[1]), w)
					}
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands found: the search is broken", seen)
	}
}

// TestWordsOfTheTrade finds words that only those who wrote the project know.
func TestWordsOfTheTrade(t *testing.T) {
	unknown := regexp.MustCompile(`(?i)plan of record|for a later issue|\b(in|by|see|of) this issue\b|\bissue \d+\b|the judge's|the horizon's`)
	for name, text := range files(t, ".md", ".go", ".py", ".ts", ".tsx", ".yaml", ".lua", "Makefile", "Dockerfile", "run") {
		if name == "test/documents/documents_test.go" || strings.HasPrefix(name, "results/") {
			continue
		}
		for _, found := range unknown.FindAllString(text, -1) {
			t.Errorf("%s says %q: its readers do not know what that is", name, found)
		}
	}
}

// TestSettings looks up every setting that the documents name.
func TestSettings(t *testing.T) {
	var code strings.Builder
	for name, text := range files(t, ".go", ".py", ".yaml", ".ts", "Makefile", "run", "setup") {
		if !strings.HasPrefix(name, "test/documents/") {
			code.WriteString(text)
		}
	}
	known := map[string]bool{}
	variable := regexp.MustCompile(`\bCHAT_[A-Z][A-Z_]*[A-Z]\b`)
	for _, name := range variable.FindAllString(code.String(), -1) {
		known[name] = true
	}
	seen := 0
	for name, text := range files(t, ".md") {
		for _, setting := range variable.FindAllString(text, -1) {
			seen++
			if !known[setting] && !slices.Contains([]string{"CHAT_KEEP", "CHAT_POST", "CHAT_SOURCE_POST", "CHAT_DRAIN"}, setting) {
				t.Errorf("%s names %s: no program reads it", name, setting)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d settings found: the search is broken", seen)
	}
}

// TestImagesCarryTheirNotices looks for the licences of what is in an image, made
// by test/notices.py, on their way into it.
func TestImagesCarryTheirNotices(t *testing.T) {
	dockerfiles, err := filepath.Glob(filepath.Join(root, "images/*/Dockerfile"))
	if err != nil || len(dockerfiles) == 0 {
		t.Fatalf("images/*/Dockerfile: %v %v", dockerfiles, err)
	}
	for _, file := range dockerfiles {
		folder := filepath.Dir(file)
		steps, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		last := string(steps)[strings.LastIndex(string(steps), "\nFROM "):]
		if !strings.Contains(last, "\nCOPY THIRD-PARTY.txt ") {
			t.Errorf("%s does not copy THIRD-PARTY.txt into the image", file)
		}
		if _, err := os.Stat(filepath.Join(folder, "THIRD-PARTY.txt")); err != nil {
			t.Errorf("%v: python3 test/notices.py", err)
		}
		ignored, err := os.ReadFile(filepath.Join(folder, ".dockerignore"))
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(string(ignored), "\n"); slices.Contains(lines, "*") && !slices.Contains(lines, "!THIRD-PARTY.txt") {
			t.Errorf("%s/.dockerignore keeps THIRD-PARTY.txt out", folder)
		}
	}
}
