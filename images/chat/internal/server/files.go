package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"chatapp/chat/internal/chat"
)

// files serves the built page from memory, compressed once at start. Files
// under assets/ carry a hash in their name and may be kept for ever; all
// others are asked for again each time and cost a 304. (vearutop/statigz sends
// ETags without quotes and compares If-None-Match as one string.)
type files struct {
	byPath map[string]file
}

type file struct {
	contentType string
	etag        string // weak: it is the same for all variants
	cache       string
	variants    []variant // the best compressed first, the plain one last
}

type variant struct {
	encoding string // of Content-Encoding; empty: plain
	body     []byte
}

const (
	cacheForEver  = "public, max-age=31536000, immutable"
	cacheAskAgain = "no-cache"
	indexFile     = "index.html"
)

// suffixes of files that the build has compressed already.
var suffixes = []struct{ suffix, encoding string }{{".br", "br"}, {".gz", "gzip"}}

func newFiles(dist fs.FS) (*files, error) {
	all := &files{byPath: map[string]file{}}
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		base := path.Base(name)
		if err != nil || entry.IsDir() || strings.HasPrefix(base, ".git") ||
			strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") {
			return err
		}
		f, err := load(dist, name)
		if err != nil {
			return err
		}
		all.byPath["/"+name] = f
		if name == indexFile {
			all.byPath["/"] = f
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func load(dist fs.FS, name string) (file, error) {
	body, err := fs.ReadFile(dist, name)
	if err != nil {
		return file{}, err
	}
	sum := sha256.Sum256(body)
	f := file{
		contentType: contentType(name),
		etag:        `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
		cache:       cacheAskAgain,
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = cacheForEver
	}
	for _, s := range suffixes {
		if packed, err := fs.ReadFile(dist, name+s.suffix); err == nil {
			f.variants = append(f.variants, variant{s.encoding, packed})
		}
	}
	if len(f.variants) == 0 {
		packed, err := compress(body)
		if err != nil {
			return file{}, err
		}
		if len(packed) < len(body)*9/10 { // else its format is a compressed one
			f.variants = append(f.variants, variant{"gzip", packed})
		}
	}
	f.variants = append(f.variants, variant{"", body})
	return f, nil
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".webmanifest":
		return "application/manifest+json"
	case ".yaml":
		return "application/yaml"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func compress(body []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (f *files) serve(w http.ResponseWriter, r *http.Request) {
	found, ok := f.byPath[r.URL.Path]
	if !ok {
		writeProblem(w, http.StatusNotFound, &chat.Error{Code: chat.CodeNotFound, Message: `this server was built without its page: run "make build"`})
		return
	}
	found.serve(w, r)
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.cache)
	h.Set("Etag", f.etag)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Content-Type", f.contentType)
	v := f.choose(r.Header.Get("Accept-Encoding"))
	if v.encoding != "" {
		h.Set("Content-Encoding", v.encoding)
	}
	// ServeContent knows conditional requests and ranges (RFC 9110, 13 and
	// 14), but looks at one header line only, and leaves out the length of
	// what is encoded.
	if lines := r.Header.Values("If-None-Match"); len(lines) > 1 {
		r.Header.Set("If-None-Match", strings.Join(lines, ", "))
	}
	if r.Header.Get("Range") == "" && r.Header.Get("If-Match") == "" {
		h.Set("Content-Length", strconv.Itoa(len(v.body)))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.body))
}

// choose gives the first variant that the client takes. A weight of 0 is the
// only one that matters: browsers send none.
func (f file) choose(accept string) variant {
	takes := map[string]bool{"": true}
	for part := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight, weighted := strings.CutPrefix(strings.TrimSpace(weight), "q=0")
		takes[strings.ToLower(strings.TrimSpace(name))] = !weighted || strings.Trim(weight, ".0") != ""
	}
	for _, v := range f.variants {
		if takes[v.encoding] {
			return v
		}
	}
	return f.variants[len(f.variants)-1]
}
