// SPDX-License-Identifier: MIT

package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var embedded embed.FS

// mediaTypes are those of our files. They are not asked of the host, whose
// tables differ.
var mediaTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".json": "application/json",
	".svg":  "image/svg+xml",
}

// assets are the files of the page, ready to be sent.
type assets struct {
	files  map[string]file // by URL path
	pages  map[string][]byte
	signIn []byte
}

type file struct {
	media, tag    string
	data, gzipped []byte
}

// view is one page of the menu. Its HTML is assets/NAME.html, its script
// assets/NAME.js.
type view struct {
	Path, Name, Title string
	Hidden            bool // not in the menu
}

var views = []view{
	{Path: "/{$}", Name: "now", Title: "Now"},
	{Path: "/map", Name: "map", Title: "World map"},
	{Path: "/timeline", Name: "timeline", Title: "Timeline"},
	{Path: "/lists", Name: "lists", Title: "Lists"},
	{Path: "/settings", Name: "settings", Title: "Settings"},
	{Path: "/health", Name: "health", Title: "Health"},
	{Path: "/source", Name: "source", Title: "Source", Hidden: true},
}

// URL is where the view is.
func (v view) URL() string { return strings.TrimSuffix(v.Path, "{$}") }

// loadAssets makes pages of the templates. An error is a mistake in them.
func loadAssets() (*assets, error) {
	a := &assets{files: make(map[string]file), pages: make(map[string][]byte)}
	names, err := fs.ReadDir(embedded, "assets")
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	for _, entry := range names {
		media, ok := mediaTypes[path.Ext(entry.Name())]
		if !ok {
			continue
		}
		data, err := embedded.ReadFile("assets/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
		if a.files["/assets/"+entry.Name()], err = newFile(media, data); err != nil {
			return nil, err
		}
	}
	for _, v := range views {
		t, err := template.ParseFS(embedded, "assets/layout.html", "assets/"+v.Name+".html")
		if err != nil {
			return nil, fmt.Errorf("read page %q: %w", v.Name, err)
		}
		var page bytes.Buffer
		if err := t.ExecuteTemplate(&page, "layout.html", map[string]any{"View": v, "Views": views}); err != nil {
			return nil, fmt.Errorf("make page %q: %w", v.Name, err)
		}
		a.pages[v.Path] = page.Bytes()
	}
	if a.signIn, err = embedded.ReadFile("assets/signin.html"); err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	return a, nil
}

func newFile(media string, data []byte) (file, error) {
	sum := sha256.Sum256(data)
	f := file{media: media, data: data, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return f, fmt.Errorf("compress assets: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return f, fmt.Errorf("compress assets: %w", err)
	}
	if err := w.Close(); err != nil {
		return f, fmt.Errorf("compress assets: %w", err)
	}
	f.gzipped = b.Bytes()
	return f, nil
}

// serve sends a file. The browser keeps it but asks each time whether it
// is still the same, so that an upgrade shows at once.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	data := f.data
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = f.gzipped
	}
	// A client that is gone needs no file.
	_, _ = w.Write(data)
}
