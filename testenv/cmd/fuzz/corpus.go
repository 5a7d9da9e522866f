// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// maxKept is the longest input that goes into the tree, in bytes.
const maxKept = 4096

// keepInputs copies those of the inputs that fuzzing found into the tree
// that reach most code beyond the seeds, the best first, n at the most.
func keepInputs(ctx context.Context, t target, n int, out io.Writer) error {
	cached, err := cachedInputs(ctx, t)
	if err != nil || len(cached) == 0 {
		return err
	}
	dir, err := os.MkdirTemp("", "denmap-fuzz-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m := measure{target: t, binary: filepath.Join(dir, "test"), profile: filepath.Join(dir, "profile"), dir: dir}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-cover", "-coverpkg", "./...", "-o", m.binary, "./"+t.dir)
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, said)
	}
	reached, err := m.blocks(ctx, t.corpus())
	if err != nil {
		return err
	}
	found := make(map[string]map[string]bool) // blocks by input
	for _, path := range cached {
		one := filepath.Join(dir, "one")
		if err := errors.Join(os.RemoveAll(one), copyInto(one, path)); err != nil {
			return err
		}
		if found[path], err = m.blocks(ctx, one); err != nil {
			return err
		}
	}
	kept := 0
	for ; kept < n; kept++ {
		best, gain := "", 0
		for path, blocks := range found {
			if g := fresh(blocks, reached); g > gain || g == gain && g > 0 && path < best {
				best, gain = path, g
			}
		}
		if gain == 0 {
			break
		}
		if err := copyInto(t.corpus(), best); err != nil {
			return err
		}
		for b := range found[best] {
			reached[b] = true
		}
	}
	fmt.Fprintf(out, "%-44s %9d inputs found, %d kept\n", t, len(cached), kept)
	return nil
}

func fresh(blocks, reached map[string]bool) (n int) {
	for b := range blocks {
		if !reached[b] {
			n++
		}
	}
	return n
}

// cachedInputs returns the files that fuzzing found worth keeping.
func cachedInputs(ctx context.Context, t target) ([]string, error) {
	said, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.ImportPath}}", "./"+t.dir).Output()
	if err != nil {
		return nil, fmt.Errorf("name package: %w", err)
	}
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("find cache: %w", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(cache)), "fuzz", strings.TrimSpace(string(said)), t.name)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var paths []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Size() <= maxKept {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// measure runs the target's test on given inputs.
type measure struct {
	target               target
	binary, profile, dir string
}

// blocks returns the blocks of code that the seeds and the inputs in a
// directory reach.
func (m measure) blocks(ctx context.Context, inputs string) (map[string]bool, error) {
	work := filepath.Join(m.dir, "work")
	corpus := filepath.Join(work, "testdata", "fuzz")
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(corpus, 0o755)); err != nil {
		return nil, err
	}
	inputs, err := filepath.Abs(inputs)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(inputs); err == nil {
		if err := os.Symlink(inputs, filepath.Join(corpus, m.target.name)); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, m.binary, "-test.run", "^"+m.target.name+"$", "-test.coverprofile", m.profile)
	cmd.Dir = work
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("run: %w\n%s", err, said)
	}
	f, err := os.Open(m.profile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reached := make(map[string]bool)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if block, count, _ := strings.Cut(lines.Text(), " "); !strings.HasSuffix(count, " 0") {
			reached[block] = true
		}
	}
	return reached, nil
}

func copyInto(dir, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o644)
}
