// SPDX-License-Identifier: MIT

package packaging

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"denmap/userspace/config"
)

// TestDebianPackage installs, upgrades, removes and purges without a
// running systemd, as in an image build.
func TestDebianPackage(t *testing.T) {
	needRoot(t)
	r := newTree(t)
	r.must("true") // what nspawn itself leaves is there before
	before := r.listing()
	r.must("dpkg", "-i", r.put(deb(t, oldVersion)))

	r.checkInstalled(oldVersion)
	// The only key that is set.
	cfg, err := config.Load(filepath.Join(r.dir, config.DefaultPath), true)
	if err != nil || cfg.Mode != config.Monitor || len(cfg.Interfaces) != 0 {
		t.Errorf("configuration: mode %q, interfaces %v, %v", cfg.Mode, cfg.Interfaces, err)
	}
	r.must("denmap", "config", "check")
	r.must("denmap", "lists", "check")
	if _, said, err := r.run("denmap", "attach"); err == nil || !strings.Contains(said, "no interface given, and none is configured") {
		t.Errorf("attach without interfaces: %v\n%s", err, said)
	}
	r.must("systemd-analyze", "verify", "--man=no", "denmap.service")
	if r.has("/etc/systemd/system/multi-user.target.wants/denmap.service") {
		t.Error("the service is enabled")
	}

	r.edit("/etc/denmap/denmap.yaml", "#interfaces: []", "interfaces: [eth0]")
	r.edit("/etc/denmap/deny.list", "# DenMap deny list", "203.0.113.0/24 # edited\n# DenMap deny list")
	r.must("dpkg", "-i", r.put(deb(t, newVersion)))
	if got := r.must("denmap", "version"); !strings.HasPrefix(got, "denmap "+newVersion+"\n") {
		t.Errorf("version after the upgrade: %s", got)
	}
	if !strings.Contains(r.read("/etc/denmap/denmap.yaml"), "\ninterfaces: [eth0]") || !strings.Contains(r.read("/etc/denmap/deny.list"), "# edited") {
		t.Error("the upgrade lost an edit")
	}
	if got := r.owned("/etc/denmap/deny.list"); got != "-rw-r----- denmap:denmap" {
		t.Errorf("edited list after the upgrade is %s", got)
	}

	r.checkNewDefaults()

	// What commands and the service leave, purge takes too.
	r.must("denmap", "lists", "add", "deny", "192.0.2.1")
	r.must("denmap", "bans", "add", "192.0.2.2", "--for", "1h")
	r.must("dpkg", "-r", "denmap")
	for name, want := range map[string]bool{
		"/usr/sbin/denmap": false, "/usr/lib/systemd/system/denmap.service": false,
		"/etc/denmap/denmap.yaml": true, "/etc/denmap/deny.list": true, "/var/lib/denmap/bans.json": true, "/var/log/denmap": true,
	} {
		if r.has(name) != want {
			t.Errorf("after removal %s is there: %v, want %v", name, !want, want)
		}
	}
	r.leftOver(before, "removal", "etc/denmap", "var/lib/denmap", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")
	r.must("dpkg", "-P", "denmap")
	r.leftOver(before, "purge")
	for _, name := range []string{"/var/log/denmap", "/var/cache/denmap"} {
		if r.has(name) {
			t.Errorf("purge left %s", name)
		}
	}
}

// checkNewDefaults upgrades to a package whose defaults changed: they come
// where nobody edited, and beside the file where somebody did.
func (r *tree) checkNewDefaults() {
	r.t.Helper()
	const comment = "# of a later version\n"
	r.must("dpkg", "--force-confdef", "--force-confold", "-i", r.put(withDefaults(r.t, deb(r.t, newVersion), comment)))
	for name, want := range map[string]bool{
		"denmap.yaml": false, "denmap.yaml.dpkg-dist": true, "deny.list": false, "deny.list.dpkg-dist": true,
		"allow.list": true, "allow.list.dpkg-dist": false,
	} {
		path := "/etc/denmap/" + name
		if got := r.has(path) && strings.HasSuffix(r.read(path), comment); got != want {
			r.t.Errorf("%s has the new default: %v, want %v", name, got, want)
		}
	}
	if !strings.Contains(r.read("/etc/denmap/denmap.yaml"), "\ninterfaces: [eth0]") {
		r.t.Error("new defaults took the place of an edited configuration")
	}
	if got := r.owned("/etc/denmap/allow.list"); got != "-rw-r----- denmap:denmap" {
		r.t.Errorf("list with a new default is %s", got)
	}
	r.must("denmap", "config", "check")
}

// withDefaults returns the package with a comment added to each of its
// configuration files.
func withDefaults(t *testing.T, deb, comment string) string {
	t.Helper()
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "denmap_defaults.deb")
	script := `dpkg-deb -R "$1" "$2" && for f in "$2"/etc/denmap/*.*; do [ -d "$f" ] || printf %s "$3" >>"$f"; done && dpkg-deb -b "$2" "$4"`
	if said, err := exec.Command("sh", "-c", script, "sh", deb, filepath.Join(dir, "root"), comment, out).CombinedOutput(); err != nil {
		t.Fatalf("change defaults: %v\n%s", err, said)
	}
	return out
}

// checkInstalled wants what a package brings, whose it is, and what may be
// done with it.
func (r *tree) checkInstalled(version string) {
	r.t.Helper()
	for name, want := range map[string]string{
		"/usr/sbin/denmap":                                 "-rwxr-xr-x root:root",
		"/usr/lib/systemd/system/denmap.service":           "-rw-r--r-- root:root",
		"/usr/lib/sysusers.d/denmap.conf":                  "-rw-r--r-- root:root",
		"/usr/lib/tmpfiles.d/denmap.conf":                  "-rw-r--r-- root:root",
		"/usr/share/man/man8/denmap.8.gz":                  "-rw-r--r-- root:root",
		"/usr/share/man/man5/denmap.yaml.5.gz":             "-rw-r--r-- root:root",
		"/usr/share/bash-completion/completions/denmap":    "-rw-r--r-- root:root",
		"/usr/share/zsh/vendor-completions/_denmap":        "-rw-r--r-- root:root",
		"/usr/share/fish/vendor_completions.d/denmap.fish": "-rw-r--r-- root:root",
		"/etc/denmap":             "drwxr-x--- denmap:denmap",
		"/etc/denmap/conf.d":      "drwxr-x--- denmap:denmap",
		"/etc/denmap/denmap.yaml": "-rw-r----- denmap:denmap",
		"/etc/denmap/allow.list":  "-rw-r----- denmap:denmap",
		"/etc/denmap/deny.list":   "-rw-r----- denmap:denmap",
		"/var/lib/denmap":         "drwxr-x--- denmap:denmap",
		"/var/log/denmap":         "drwxr-x--- denmap:denmap",
	} {
		if got := r.owned(name); got != want {
			r.t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if got := r.must("getent", "passwd", "denmap"); !strings.Contains(got, "/usr/sbin/nologin") {
		r.t.Errorf("user: %s", got)
	}
	if got := r.must("denmap", "version"); !strings.HasPrefix(got, "denmap "+version+"\n") {
		r.t.Errorf("version: %s", got)
	}
}
