// SPDX-License-Identifier: MIT

package account

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"denmap/testenv/need"
)

// someone is a user other than root; no such account need exist.
const someone = 64999

// foreignDir is a directory that belongs to someone.
func foreignDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chown(dir, someone, someone+1); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkOwner(t *testing.T, path string, uid, gid uint32) {
	t.Helper()
	got, err := owner(os.Stat(path))
	if err != nil || got.uid != uid || got.gid != gid {
		t.Errorf("%s belongs to %d:%d, %v, want %d:%d", path, got.uid, got.gid, err, uid, gid)
	}
}

func TestTrusts(t *testing.T) {
	if !Trusts(0) || !Trusts(os.Geteuid()) {
		t.Error("root or this process's user is not trusted")
	}
	if Trusts(someone) {
		t.Error("somebody else is trusted")
	}
}

func TestHandOver(t *testing.T) {
	need.Root(t, "giving files away")
	path := filepath.Join(foreignDir(t), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := HandOver(f); err != nil {
		t.Fatal(err)
	}
	checkOwner(t, path, someone, someone+1)
}

// TestHandOverKeepsLinks does not give away what somebody linked there.
func TestHandOverKeepsLinks(t *testing.T) {
	need.Root(t, "giving files away")
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(foreignDir(t), "file")
	if err := os.Link(precious, path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := HandOver(f); err == nil {
		t.Error("a hard link was handed over")
	}
	checkOwner(t, precious, 0, 0)
}

func TestMkdirAll(t *testing.T) {
	need.Root(t, "giving files away")
	defer syscall.Umask(syscall.Umask(0o022))
	dir := foreignDir(t)
	if err := MkdirAll(filepath.Join(dir, "a", "b"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "a/b"} {
		checkOwner(t, filepath.Join(dir, name), someone, someone+1)
	}
	// What was there before stays as it is.
	own := filepath.Join(dir, "root")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(own, "c"), 0o750); err != nil {
		t.Fatal(err)
	}
	checkOwner(t, own, 0, 0)
	checkOwner(t, filepath.Join(own, "c"), 0, 0)
}
