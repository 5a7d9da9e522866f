// SPDX-License-Identifier: MIT

package config

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write denmap.yaml and docs/configuration.md anew from the table of keys")

// buildExample writes the example file from the reference.
func buildExample() string {
	var b strings.Builder
	b.WriteString(`# DenMap's configuration. Every key is optional; the commented lines show the
# defaults. Files conf.d/*.yaml beside this one are merged over it, in the
# order of their names. Check a change with: denmap config check
`)
	section := ""
	for _, k := range Reference() {
		indent := ""
		s, name, nested := cutLast(k.Path)
		if nested {
			indent = "  "
		}
		b.WriteString("\n")
		if nested && s != section {
			b.WriteString(s + ":\n")
		}
		section = s
		for _, paragraph := range []string{k.Description, "Takes " + k.Range + "."} {
			for _, line := range wrap(paragraph, 76-len(indent)) {
				b.WriteString(indent + "# " + line + "\n")
			}
		}
		b.WriteString(indent + "#" + name + ": " + k.Default + "\n")
	}
	return b.String()
}

func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+w, " ")
	}
	return append(lines, line)
}

func TestExampleFollowsTheTable(t *testing.T) {
	for path, want := range map[string]string{"denmap.yaml": buildExample(), "../../docs/configuration.md": buildDocument()} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s differs from the table of keys (%v): make docs", path, err)
		}
	}
}

func TestExampleEqualsDefaults(t *testing.T) {
	uncommented := regexp.MustCompile(`(?m)^( *)#(\S)`).ReplaceAllString(Example(), "$1$2")
	if uncommented == Example() {
		t.Fatal("nothing is commented out in the example")
	}
	stripped := regexp.MustCompile(`(?m)^ *#.*\n`).ReplaceAllString(Example(), "")
	for name, text := range map[string]string{"as it is": Example(), "uncommented": uncommented, "stripped": stripped} {
		c, err := Parse([]Source{{"denmap.yaml", []byte(text)}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(c, Default()) {
			t.Errorf("%s: got %+v, want the defaults", name, c)
		}
	}
}

func TestReference(t *testing.T) {
	keys := Reference()
	if len(keys) != 49 {
		t.Errorf("%d keys; a new key belongs here too", len(keys))
	}
	for _, k := range keys {
		if k.Path == "" || k.Type == "" || k.Default == "" || k.Range == "" || !strings.HasSuffix(k.Description, ".") {
			t.Errorf("incomplete: %+v", k)
		}
		if k.Path == "detect.ban_score" {
			want := Key{k.Path, "whole number", "8", "a whole number from 1 to 32; at least detect.alert_score", k.Description}
			if k != want {
				t.Errorf("got %+v, want %+v", k, want)
			}
		}
	}
}
