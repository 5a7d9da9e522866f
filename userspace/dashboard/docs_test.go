// SPDX-License-Identifier: MIT

package dashboard

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocs holds docs/api.md and the routes together.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var told, have []string
	for _, m := range regexp.MustCompile(`(?m)^### ([A-Z]+ /\S+)$`).FindAllStringSubmatch(string(data), -1) {
		told = append(told, m[1])
	}
	for _, r := range newBench(t).api() {
		have = append(have, r.method+" "+r.path)
	}
	slices.Sort(told)
	slices.Sort(have)
	if !slices.Equal(told, have) {
		t.Errorf("docs/api.md tells of\n%s\nbut there are\n%s", strings.Join(told, "\n"), strings.Join(have, "\n"))
	}
	for _, key := range pageKeys() {
		_, name, nested := strings.Cut(key, ".")
		if !nested {
			name = key
		}
		if !strings.Contains(string(data), "`"+name+"`") && !strings.Contains(string(data), "`"+key+"`") {
			t.Errorf("docs/api.md does not name %s", key)
		}
	}
	for _, state := range []State{StateBanned, StateWouldBan, StateWatched, StateProtected, StateAlerted, StateScored, StateEnded} {
		if !strings.Contains(string(data), "`"+string(state)+"`") {
			t.Errorf("docs/api.md does not name the state %s", state)
		}
	}
}
