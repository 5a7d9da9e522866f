// SPDX-License-Identifier: MIT

// Package need says what a test needs of the machine that it runs on, and
// what becomes of the test where that is missing. A developer's run without
// root skips what only root can do. Where everything is to run (AllEnv is
// set, as `make check` does), nothing is skipped: the test fails.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// AllEnv names the environment variable that turns every skip for something
// missing into a failure. Any value but the empty one does.
const AllEnv = "DENMAP_TEST_ALL"

// MissingEnv names the one that, set to 1, skips what needs a program that is
// not installed; without it such a test fails, since a lab without scanners
// proves nothing.
const MissingEnv = "DENMAP_LAB_ALLOW_MISSING"

// T is the part of testing.TB that is used.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// sbinDirs are searched after PATH: a user's PATH often leaves them out.
var sbinDirs = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// Root ends a test that does not run as root; why says what needs it.
func Root(t T, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "%s needs root", why)
	}
}

// Missing ends a test on a machine that lacks what the text says.
func Missing(t T, format string, args ...any) {
	t.Helper()
	if os.Getenv(AllEnv) != "" {
		t.Fatalf(format+"; "+AllEnv+" forbids to skip", args...)
		return
	}
	t.Skipf(format, args...)
}

// Program returns the path of the first of these programs that is installed,
// and ends the test where none is; pkg is the Debian package that has it.
func Program(t T, pkg string, names ...string) string {
	t.Helper()
	path, err := Find(pkg, names...)
	switch {
	case err == nil:
	case os.Getenv(MissingEnv) == "1":
		Missing(t, "%v", err)
	default:
		t.Fatalf("%v (%s=1 skips instead)", err, MissingEnv)
	}
	return path
}

// Find is Program without a test around it. Its error names the package, if
// pkg does.
func Find(pkg string, names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, dir := range sbinDirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	hint := ""
	if pkg != "" {
		hint = "; apt-get install " + pkg
	}
	return "", fmt.Errorf("find %q: not installed%s", strings.Join(names, ", "), hint)
}
