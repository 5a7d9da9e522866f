// SPDX-License-Identifier: MIT

package testenv

import (
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
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("find module: %w", err)
	}
	dir, err := os.MkdirTemp("", "denmap-lab-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, "denmap")
	build := exec.Command("go", "build", "-o", target, "./cmd/denmap")
	build.Dir = filepath.Dir(strings.TrimSpace(string(gomod)))
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build denmap: %w\n%s", err, out)
	}
	return os.ReadFile(target)
})

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
		dir := filepath.Dir(denmapPath)
		cmd := h.Command(h.t.Context(), "/bin/sh", "-c",
			fmt.Sprintf("mkdir -p %s && cat >%s && chmod 755 %s", dir, denmapPath, denmapPath))
		cmd.Stdin = strings.NewReader(string(content))
		if out, err := cmd.CombinedOutput(); err != nil {
			h.denmap.err = fmt.Errorf("install denmap on %q: %w: %s", h.Name, err, out)
		}
	})
	return h.denmap.err
}
