// SPDX-License-Identifier: MIT

package packaging

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"denmap/testenv"
	"denmap/testenv/need"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// The versions of the tests: an installed one, and its upgrade.
const (
	oldVersion = "1.0.0"
	newVersion = "1.0.1"
)

// epoch dates the packages of the tests.
const epoch = "1767225600"

// builds serialises builds, which share a directory.
var builds sync.Mutex

// build makes packages of this tree and returns the directory they are in.
func build(t *testing.T, version, kinds string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	out := t.TempDir()
	cmd := exec.Command("sh", "build.sh", "amd64")
	cmd.Env = append(os.Environ(), "VERSION="+version, "KINDS="+kinds, "OUT="+out, "SOURCE_DATE_EPOCH="+epoch)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s of %s: %v\n%s", kinds, version, err, said)
	}
	return out
}

// deb returns the Debian package of a version.
func deb(t *testing.T, version string) string {
	t.Helper()
	return filepath.Join(build(t, version, "deb"), fmt.Sprintf("denmap_%s_amd64.deb", version))
}

func needRoot(t *testing.T) {
	t.Helper()
	need.Root(t, "installing packages (make test-packages)")
}

// debian returns a bare Debian with systemd, which the first test that asks
// makes and which is kept in the user's cache: it takes a minute and the
// network.
func debian(t *testing.T) string {
	t.Helper()
	dir, err := debianOnce()
	if err != nil {
		t.Fatalf("make a bare Debian: %v", err)
	}
	return dir
}

var debianOnce = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "denmap", "bookworm")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	making, err := os.MkdirTemp(filepath.Dir(dir), "bookworm-new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(making)
	// It is other users' root directory.
	if err := os.Chmod(making, 0o755); err != nil {
		return "", err
	}
	said, err := exec.Command("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv", "bookworm", making).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("debootstrap: %w\n%s", err, said)
	}
	err = os.Rename(making, dir)
	if errors.Is(err, os.ErrExist) { // another run was faster
		err = nil
	}
	return dir, err
})
