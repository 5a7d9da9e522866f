// SPDX-License-Identifier: MIT

package confine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"denmap/testenv/need"
)

// insideEnv makes the test binary the confined process; its value is the
// directory that holds "write", "read" and "other".
const insideEnv = "DENMAP_CONFINE_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(insideEnv); dir != "" {
		os.Exit(inside(dir))
	}
	os.Exit(m.Run())
}

// inside tries everything and returns the number of the first surprise.
func inside(dir string) int {
	if err := Files([]string{filepath.Join(dir, "write"), filepath.Join(dir, "missing")}, []string{filepath.Join(dir, "read")}); err != nil {
		return 100
	}
	read := func(name string) error {
		_, err := os.ReadFile(filepath.Join(dir, name))
		return err
	}
	write := func(name string) error { return os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600) }
	for i, step := range []struct {
		denied bool
		do     func() error
	}{
		{false, func() error { return write("write/new") }},
		{false, func() error { return os.Rename(filepath.Join(dir, "write/new"), filepath.Join(dir, "write/file")) }},
		{false, func() error { return os.Mkdir(filepath.Join(dir, "write/sub"), 0o700) }},
		{false, func() error { return os.Rename(filepath.Join(dir, "write/file"), filepath.Join(dir, "write/sub/file")) }},
		{false, func() error { return read("read/file") }},
		{true, func() error { return write("read/file") }},
		{true, func() error { return os.Remove(filepath.Join(dir, "read/file")) }},
		{true, func() error { return read("other/file") }},
		{true, func() error { return write("other/new") }},
		{true, func() error { return os.Rename(filepath.Join(dir, "write/sub/file"), filepath.Join(dir, "other/file")) }},
		{true, func() error { return exec.Command("/proc/self/exe").Run() }},
		// Every thread is confined, not only this one.
		{true, func() error {
			got := make(chan error)
			go func() { got <- read("other/file") }()
			return <-got
		}},
	} {
		if err := step.do(); errors.Is(err, fs.ErrPermission) != step.denied || !step.denied && err != nil {
			return i + 1
		}
	}
	return 0
}

func TestFiles(t *testing.T) {
	if !Available() {
		need.Missing(t, "this kernel has no Landlock (Linux 5.13), or it is switched off")
	}
	dir := t.TempDir()
	for _, name := range []string{"write", "read", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), insideEnv+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("confined process: %v (the exit code is the step that surprised)\n%s", err, out)
	}
}
