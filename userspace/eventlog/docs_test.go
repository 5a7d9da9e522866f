// SPDX-License-Identifier: MIT

package eventlog

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented returns the fields and the keys of the text format that the
// table in docs/events.md has.
func documented(t *testing.T) (fields, keys map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "## Fields")
	if !found {
		t.Fatal("docs/events.md has no section Fields")
	}
	fields, keys = map[string]bool{}, map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|([^|]*)\\|").FindAllStringSubmatch(table, -1) {
		if fields[row[1]] {
			t.Errorf("%s is documented twice", row[1])
		}
		fields[row[1]] = true
		if cell := strings.TrimSpace(row[2]); strings.HasPrefix(cell, "`") {
			keys[strings.Trim(cell, "`")] = true
		}
	}
	return fields, keys
}

// addLeaves adds the paths of all values below v.
func addLeaves(paths map[string]bool, path string, v any) {
	block, ok := v.(map[string]any)
	if !ok {
		paths[path] = true
		return
	}
	for key, below := range block {
		addLeaves(paths, strings.TrimPrefix(path+"."+key, "."), below)
	}
}

func TestFieldsAreDocumented(t *testing.T) {
	written := map[string]bool{}
	for _, s := range samples() {
		var doc map[string]any
		if err := json.Unmarshal(mustJSON(t, s.event), &doc); err != nil {
			t.Fatal(err)
		}
		addLeaves(written, "", doc)
	}
	keys := map[string]bool{}
	for _, f := range textFields {
		keys[f.key] = true
	}
	fields, documentedKeys := documented(t)
	compare := func(what string, written, documented map[string]bool) {
		for _, name := range slices.Sorted(maps.Keys(written)) {
			if !documented[name] {
				t.Errorf("docs/events.md lacks the %s %s", what, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(documented)) {
			if !written[name] {
				t.Errorf("docs/events.md has the %s %s, which no sample has", what, name)
			}
		}
	}
	compare("field", written, fields)
	compare("key", keys, documentedKeys)
}
