// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// denmapPath is where every host has the program under test.
const denmapPath = labDir + "/bin/denmap"

// denmapBinary returns the program under test: the file that
// DENMAP_BINARY names, or what the go tool builds, once for a test run.
// It is kept in memory, and written into each host's own /run, so that an
// aborted run leaves no file behind.
var denmapBinary = sync.OnceValues(func() ([]byte, error) {
	if path := os.Getenv("DENMAP_BINARY"); path != "" {
		return os.ReadFile(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	return buildDenmap(root)
})

// moduleRoot returns the top of the source tree.
func moduleRoot() (string, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(gomod))), nil
}

func buildDenmap(root string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "denmap-lab-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, "denmap")
	build := exec.Command("go", "build", "-trimpath", "-o", target, "./cmd/denmap")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build denmap: %w\n%s", err, out)
	}
	return os.ReadFile(target)
}

// binaryCopy remembers whether a host has the program already.
type binaryCopy struct {
	once sync.Once
	err  error
}

// installDenmap puts the program under test on the host. The copy is made
// by a process of its own: a file that this process holds open for
// writing while another goroutine forks cannot be executed for a moment
// (ETXTBSY).
func (h *Host) installDenmap() error {
	h.denmap.once.Do(func() {
		content, err := denmapBinary()
		if err != nil {
			h.denmap.err = err
			return
		}
		h.denmap.err = h.install(content, denmapPath)
	})
	return h.denmap.err
}

func (h *Host) install(content []byte, path string) error {
	cmd := h.Command(h.t.Context(), "/bin/sh", "-c",
		fmt.Sprintf("mkdir -p %s && cat >%s && chmod 755 %s", filepath.Dir(path), path, path))
	cmd.Stdin = bytes.NewReader(content)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install denmap on %q: %w: %s", h.Name, err, out)
	}
	return nil
}
