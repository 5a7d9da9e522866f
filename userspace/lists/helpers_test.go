// SPDX-License-Identifier: MIT

package lists

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testNow is the present in tests that do not touch the clock.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func mustPrefix(t testing.TB, s string) netip.Prefix {
	t.Helper()
	p, err := ParsePrefix(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustWrite(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tempList writes a list into a directory of its own.
func tempList(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.list")
	mustWrite(t, path, content)
	return path
}

func mustParse(t testing.TB, kind Kind, content string) *List {
	t.Helper()
	list, err := parse("some.list", kind, []byte(content), true)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// prefixes joins the networks of entries, in their order.
func prefixes(entries []Entry) string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = FormatPrefix(e.Prefix)
		if e.Watch {
			names[i] += "w"
		}
	}
	return strings.Join(names, " ")
}
