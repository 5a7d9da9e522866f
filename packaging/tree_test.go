// SPDX-License-Identifier: MIT

package packaging

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is a Debian of the test's own: what it writes is laid over the
// cached one.
type tree struct {
	t   *testing.T
	dir string
}

func newTree(t *testing.T) *tree {
	t.Helper()
	base, layers := debian(t), t.TempDir()
	r := &tree{t, filepath.Join(layers, "root")}
	upper, work := filepath.Join(layers, "upper"), filepath.Join(layers, "work")
	for _, dir := range []string{r.dir, upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", base, upper, work)
	if err := unix.Mount("overlay", r.dir, "overlay", 0, options); err != nil {
		t.Fatalf("lay a directory over %q: %v", base, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(r.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return r
}

// container are systemd-nspawn's arguments for a machine that may do what
// a real one may, and that no machine manager hears of.
func (r *tree) container(args ...string) []string {
	return append([]string{"-q", "-D", r.dir, "--register=no", "--keep-unit", "--capability=all", "--system-call-filter=bpf perf_event_open landlock_create_ruleset landlock_add_rule landlock_restrict_self"}, args...)
}

// run runs a command in the tree, without a running systemd.
func (r *tree) run(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command("systemd-nspawn", r.container(append([]string{"--pipe", "--private-network", "--"}, args...)...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

func (r *tree) must(args ...string) string {
	r.t.Helper()
	stdout, stderr, err := r.run(args...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// put copies a file of the machine into the tree and returns its name
// there.
func (r *tree) put(file string) string {
	r.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	name := filepath.Join("/opt", filepath.Base(file))
	if err := os.WriteFile(filepath.Join(r.dir, name), data, 0o644); err != nil {
		r.t.Fatal(err)
	}
	return name
}

func (r *tree) read(name string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// edit replaces text in a file as an administrator's editor does.
func (r *tree) edit(name, old, new string) {
	r.t.Helper()
	text := r.read(name)
	if !strings.Contains(text, old) {
		r.t.Fatalf("%s has no %q", name, old)
	}
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(strings.Replace(text, old, new, 1)), 0); err != nil {
		r.t.Fatal(err)
	}
}

func (r *tree) has(name string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, name))
	return err == nil
}

// owned says whose a file is and what may be done with it, as
// "-rw-r----- denmap:denmap".
func (r *tree) owned(name string) string {
	r.t.Helper()
	return strings.TrimSpace(r.must("stat", "-c", "%A %U:%G", name))
}

// unstable is what package management itself and the test write.
var unstable = []string{"var/lib/dpkg", "var/cache", "var/log", "run", "tmp", "opt", "proc", "sys", "dev", "etc/resolv.conf", "etc/.pwd.lock"}

// listing describes every file but the unstable ones. Backups of account
// files count as unstable; the account files themselves do not.
func (r *tree) listing() map[string]string {
	r.t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		for _, skip := range unstable {
			if name == skip && d.IsDir() {
				return fs.SkipDir
			} else if name == skip {
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		if strings.HasPrefix(name, "etc/") && strings.HasSuffix(name, "-") {
			return nil
		}
		what := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			what += fmt.Sprintf(" %d bytes", info.Size())
		}
		files[name] = what
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return files
}

// leftOver compares the tree with how it was before: only below these names
// may anything have come or changed.
func (r *tree) leftOver(before map[string]string, by string, allowed ...string) {
	r.t.Helper()
	after := r.listing()
	for name, what := range after {
		mayBe := slices.ContainsFunc(allowed, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
		if before[name] != what && !mayBe {
			r.t.Errorf("%s left %s (%s), before it was %q", by, name, what, before[name])
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			r.t.Errorf("%s took %s", by, name)
		}
	}
}
