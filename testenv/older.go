// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
)

// olderPath is where a host has the program of the layout before.
const olderPath = labDir + "/bin/denmap-older"

// olderDenmap builds the present program with the layout version before and
// tables that really differ: its sources remember half as many probes, and
// its records twice as many packets. It is what an upgrade meets, as far as
// the tree itself can make one: an old program in the kernel, on tables that
// the new one cannot use. DENMAP_OLDER_BINARY names a real one instead.
var olderDenmap = sync.OnceValues(func() ([]byte, error) {
	if path := os.Getenv("DENMAP_OLDER_BINARY"); path != "" {
		return os.ReadFile(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	tree, err := os.MkdirTemp("", "denmap-older-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tree)
	for _, part := range []string{"bpf", "cmd", "loader", "userspace"} {
		if err := os.CopyFS(filepath.Join(tree, part), os.DirFS(filepath.Join(root, part))); err != nil {
			return nil, fmt.Errorf("copy sources: %w", err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, name), content, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("copy sources: %w", err)
		}
	}
	if err := makeOlder(filepath.Join(tree, "bpf", "scan.h")); err != nil {
		return nil, err
	}
	generate := exec.Command("sh", "generate.sh")
	generate.Dir = filepath.Join(tree, "bpf")
	if out, err := generate.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("generate the older program: %w\n%s", err, out)
	}
	return buildDenmap(tree)
})

// makeOlder edits the layouts.
func makeOlder(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for name, change := range map[string]func(int) int{
		"LAYOUT_VERSION": func(n int) int { return n - 1 },
		"PROBE_SLOTS":    func(n int) int { return n / 2 },
		"TRACES":         func(n int) int { return n * 2 },
	} {
		at := regexp.MustCompile(`(?m)^(\t` + name + ` = )(\d+)`)
		found := at.FindSubmatchIndex(content)
		if found == nil {
			return fmt.Errorf("make an older layout: no %s in %s", name, path)
		}
		n, _ := strconv.Atoi(string(content[found[4]:found[5]])) // digits, by the expression
		content = fmt.Appendf(nil, "%s%d%s", content[:found[4]], change(n), content[found[5]:])
	}
	return os.WriteFile(path, content, 0o600)
}

// OlderCommand prepares a command line of the program with the layout
// before, which is built for the first test that wants it.
func (h *Host) OlderCommand(ctx context.Context, args ...string) *Cmd {
	h.t.Helper()
	h.older.once.Do(func() {
		content, err := olderDenmap()
		if err == nil {
			err = h.install(content, olderPath)
		}
		h.older.err = err
	})
	if h.older.err != nil {
		h.t.Fatalf("%v", h.older.err)
	}
	return h.Command(ctx, olderPath, args...)
}
