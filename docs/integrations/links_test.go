// SPDX-License-Identifier: MIT

package integrations

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinks follows every link inside the tree, of every document.
func TestLinks(t *testing.T) {
	root := filepath.Join("..", "..")
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)`)
	followed := 0
	for _, document := range documents {
		for _, m := range link.FindAllStringSubmatch(mustRead(t, document), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", document, m[1], err)
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links in %d documents", followed, len(documents))
	}
	if lines := strings.Count(mustRead(t, filepath.Join(root, "README.md")), "\n"); lines >= 150 {
		t.Errorf("README.md has %d lines, 150 are too many", lines)
	}
}
