// SPDX-License-Identifier: MIT

package dashboard

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"denmap/userspace/event"
)

// TestAssetsOurs: no file of the page has script or style in its markup,
// asks anybody else, or makes markup of texts; and all is small.
func TestAssetsOurs(t *testing.T) {
	files, err := fs.Glob(embedded, "assets/*")
	if err != nil {
		t.Fatal(err)
	}
	forbidden := map[string]*regexp.Regexp{
		"an inline script":  regexp.MustCompile(`(?i)<script(?:\s+(?:type|src)="[^"]*")*\s*>[^<\s]|\son[a-z]+="`),
		"an inline style":   regexp.MustCompile(`(?i)<style|\sstyle="|setAttribute\("style`),
		"another host":      regexp.MustCompile(`(?i)(?:https?:)?//[a-z0-9-]+\.[a-z]`),
		"markup from text":  regexp.MustCompile(`innerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\.html\(`),
		"code from text":    regexp.MustCompile(`\beval\(|new Function|setTimeout\("|javascript:`),
		"something foreign": regexp.MustCompile(`@import|url\(`),
	}
	total := 0
	for _, name := range files {
		data, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(data)
		if path.Ext(name) == ".json" {
			continue
		}
		text := strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")
		for what, pattern := range forbidden {
			if m := pattern.FindString(text); m != "" {
				t.Errorf("%s holds %s: %q", name, what, m)
			}
		}
		if ext := path.Ext(name); (ext == ".js" || ext == ".css") && !strings.Contains(text, "SPDX-License-Identifier: MIT") {
			t.Errorf("%s has no licence", name)
		}
	}
	if total > 220_000 {
		t.Errorf("the page is %d bytes", total)
	}
}

// TestAssetsWhole: what is named is there, and scripts find the elements
// that they ask for.
func TestAssetsWhole(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	reference := regexp.MustCompile(`(?:href|src)="(/[^"]*)"|from "\./([a-z]+\.js)"|fetch\("(/assets/[^"]+)"`)
	pages := map[string]string{"signin": string(a.signIn)}
	for _, v := range views {
		pages[v.Name] = string(a.pages[v.Path])
	}
	texts := []string{}
	for _, page := range pages {
		texts = append(texts, page)
	}
	for name, f := range a.files {
		if strings.HasSuffix(name, ".js") {
			texts = append(texts, string(f.data))
		}
	}
	for _, text := range texts {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			target := m[1] + m[3]
			if m[2] != "" {
				target = "/assets/" + m[2]
			}
			isView := slices.ContainsFunc(views, func(v view) bool { return v.URL() == target })
			if _, ok := a.files[target]; !ok && !isView {
				t.Errorf("%q is not there", target)
			}
		}
	}
	ask := regexp.MustCompile(`\$\("#([a-z-]+)"\)`)
	for name, page := range pages {
		script, ok := a.files["/assets/"+name+".js"]
		if !ok {
			t.Errorf("no script for %s", name)
			continue
		}
		for _, m := range ask.FindAllStringSubmatch(string(script.data), -1) {
			if !strings.Contains(page, `id="`+m[1]+`"`) && !strings.Contains(string(script.data), `id: "`+m[1]+`"`) {
				t.Errorf("%s.js asks for #%s, which is not in its page", name, m[1])
			}
		}
		for _, want := range []string{`lang="en"`, "<h1", "<main", "<title>", `name="viewport"`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
		for _, m := range regexp.MustCompile(`<(?:input|select|textarea)[^>]* id="([a-z-]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, `for="`+m[1]+`"`) && m[1] != "watch" && m[1] != "force" {
				t.Errorf("%s: the field #%s has no label", name, m[1])
			}
		}
	}
}

// TestAssetsServed: from the browser's memory if they are the same, and
// packed.
func TestAssetsServed(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	r := c.do("GET", "/assets/now.js", nil, header("Accept-Encoding", "gzip")).want(http.StatusOK)
	if r.Header.Get("Content-Encoding") != "gzip" || r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("headers %v", r.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil || string(data) != string(b.assets.files["/assets/now.js"].data) {
		t.Errorf("packed file differs, %v", err)
	}
	c.do("GET", "/assets/now.js", nil, header("If-None-Match", r.Header.Get("ETag"))).want(http.StatusNotModified)
	for _, name := range []string{"/assets/", "/assets/none.js", "/assets/layout.html", "/assets/../server.go", "/assets/now.html"} {
		if r := c.do("GET", name, nil); r.status != http.StatusNotFound && r.status != http.StatusTemporaryRedirect && r.status != http.StatusMovedPermanently {
			t.Errorf("GET %s: %d", name, r.status)
		}
	}
}

// TestWorld: the map is small, and a circle can be drawn for nearly every
// country that the built-in database names.
func TestWorld(t *testing.T) {
	data, err := embedded.ReadFile("assets/world.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 100_000 {
		t.Errorf("the map is %d bytes", len(data))
	}
	var w struct {
		Width, Height int
		Shapes        map[string]string
		Countries     map[string]struct {
			Name string
			At   []int
		}
	}
	if err := json.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	placed := 0
	for code, c := range w.Countries {
		if c.Name == "" {
			t.Errorf("%s has no name", code)
		}
		if len(c.At) == 2 {
			placed++
			if code != "AQ" && (c.At[0] < 0 || c.At[0] > w.Width || c.At[1] < 0 || c.At[1] > w.Height) {
				t.Errorf("%s is at %v, off the map", code, c.At)
			}
		}
	}
	if placed < 235 || len(w.Shapes) < 170 {
		t.Errorf("%d countries placed, %d drawn", placed, len(w.Shapes))
	}
	// Rough positions, so that no country is swapped with another.
	for code, box := range map[string][4]int{"US": {300, 750, 150, 400}, "AU": {1550, 1850, 550, 750}, "BR": {600, 850, 450, 650}, "JP": {1600, 1750, 180, 280}, "SG": {1500, 1600, 450, 520}, "RU": {1200, 1600, 30, 150}, "FJ": {1900, 2000, 550, 640}} {
		at := w.Countries[code].At
		if len(at) != 2 || at[0] < box[0] || at[0] > box[1] || at[1] < box[2] || at[1] > box[3] {
			t.Errorf("%s is at %v, want in %v", code, at, box)
		}
	}
}

// TestKindsOffered: the filter of the timeline offers every kind.
func TestKindsOffered(t *testing.T) {
	data, err := embedded.ReadFile("assets/timeline.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range event.KindNames() {
		if !strings.Contains(string(data), `"`+name+`"`) {
			t.Errorf("timeline.js does not offer %s", name)
		}
	}
}
