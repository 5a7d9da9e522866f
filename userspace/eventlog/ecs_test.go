// SPDX-License-Identifier: MIT

package eventlog

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// ecsSpec is what ECS says of one field.
type ecsSpec struct {
	kind    string
	array   bool
	allowed []string
}

func mustReadSpec(t *testing.T) map[string]ecsSpec {
	t.Helper()
	b, err := os.ReadFile("testdata/ecs-8.11.tsv")
	if err != nil {
		t.Fatal(err)
	}
	spec := map[string]ecsSpec{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cols := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(cols) != 4 {
			t.Fatalf("row %q", line)
		}
		s := ecsSpec{kind: cols[1], array: cols[2] == "yes"}
		if cols[3] != "" {
			s.allowed = strings.Split(cols[3], ",")
		}
		spec[cols[0]] = s
	}
	return spec
}

// TestFieldsAreECS holds every field of every sample against the table.
func TestFieldsAreECS(t *testing.T) {
	spec := mustReadSpec(t)
	used := map[string]bool{}
	for _, s := range samples() {
		var doc map[string]any
		if err := json.Unmarshal(mustJSON(t, s.event), &doc); err != nil {
			t.Fatal(err)
		}
		walkECS(t, s.name, "", doc, spec, used)

		ev := doc["event"].(map[string]any)
		for _, typ := range ev["type"].([]any) {
			ok := false
			for _, c := range ev["category"].([]any) {
				ok = ok || slices.Contains(spec["category:"+c.(string)].allowed, typ.(string))
			}
			if !ok {
				t.Errorf("%s: event.type %q is not expected for %v", s.name, typ, ev["category"])
			}
		}
	}
	for field := range spec {
		if !used[field] && !strings.HasPrefix(field, "category:") {
			t.Errorf("no sample has %s", field)
		}
	}
}

func walkECS(t *testing.T, sample, prefix string, doc map[string]any, spec map[string]ecsSpec, used map[string]bool) {
	t.Helper()
	for key, v := range doc {
		field := prefix + key
		if field == "denmap" {
			continue
		}
		s, known := spec[field]
		if sub, ok := v.(map[string]any); ok && !known {
			walkECS(t, sample, field+".", sub, spec, used)
			continue
		}
		if !known {
			t.Errorf("%s: %s is no ECS field", sample, field)
			continue
		}
		used[field] = true
		values, isArray := v.([]any)
		if isArray != s.array {
			t.Errorf("%s: %s: array %v, want %v", sample, field, isArray, s.array)
		}
		if !isArray {
			values = []any{v}
		}
		for _, one := range values {
			if !fits(one, s) {
				t.Errorf("%s: %s: %v does not fit %s %v", sample, field, one, s.kind, s.allowed)
			}
		}
	}
}

func fits(v any, s ecsSpec) bool {
	text, isText := v.(string)
	switch s.kind {
	case "keyword", "match_only_text":
		return isText && text != "" && (s.allowed == nil || slices.Contains(s.allowed, text))
	case "date":
		at, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && strings.HasSuffix(text, "Z") && !at.IsZero()
	case "ip":
		_, err := netip.ParseAddr(text)
		return err == nil
	case "long":
		n, ok := v.(float64)
		return ok && n == float64(int64(n))
	case "geo_point":
		p, ok := v.(map[string]any)
		_, lat := p["lat"].(float64)
		_, lon := p["lon"].(float64)
		return ok && lat && lon && len(p) == 2
	}
	return false
}
