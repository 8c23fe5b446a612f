package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// mounted is a disk, mounted for a test. Where there is no FUSE the test is
// skipped, and says so.
func mounted(t *testing.T) (*disk, string) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("no /dev/fuse: unsynced data cannot be dropped here")
	}
	d, err := newDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	place := t.TempDir()
	server, err := d.mount(place)
	if err != nil {
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, place
}

// content of a file; "absent" when there is none.
func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAPowerCutLosesWhatWasNotSynced(t *testing.T) {
	d, place := mounted(t)
	path := filepath.Join(place, "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		text string
		sync bool
	}{{"one ", true}, {"two ", true}, {"three", false}} {
		if _, err := file.WriteString(step.text); err != nil {
			t.Fatal(err)
		}
		if step.sync {
			if err := file.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	// A killed process would leave this: closing is not syncing.
	if got := content(t, path); got != "one two three" {
		t.Fatalf("before the cut: %q", got)
	}
	if err := d.cutPower(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "one two " {
		t.Fatalf("after the cut: %q", got)
	}
}

func TestNamesAreDurableAndDataIsNot(t *testing.T) {
	d, place := mounted(t)
	if err := os.Mkdir(filepath.Join(place, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, sync bool) {
		file, err := os.Create(filepath.Join(place, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if sync {
			if err := file.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("folder/temp", "manifest", true)
	write("folder/gone", "x", true)
	write("unsynced", "y", false)
	write("shrunk", "long content", true)
	write("shrunk", "short", true)
	if err := os.Rename(filepath.Join(place, "folder/temp"), filepath.Join(place, "folder/manifest")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(place, "folder/gone")); err != nil {
		t.Fatal(err)
	}
	if err := d.cutPower(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"folder/manifest": "manifest",
		"folder/temp":     "absent",
		"folder/gone":     "absent",
		"unsynced":        "",
		"shrunk":          "short",
	} {
		if got := content(t, filepath.Join(place, name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
