// SPDX-License-Identifier: MIT

package packaging

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rpm works on the tree with this machine's rpm; what the package brings
// runs in there. The tree's own packages are dpkg's, so that rpm knows of
// none that ours could depend on.
func (r *tree) rpm(args ...string) string {
	r.t.Helper()
	args = append([]string{"--root", r.dir, "--nosignature"}, args...)
	out, err := exec.Command("rpm", args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("rpm %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func rpm(t *testing.T, version string) string {
	t.Helper()
	return filepath.Join(build(t, version, "rpm"), fmt.Sprintf("denmap_%s_amd64.rpm", version))
}

// TestRPMPackage installs, upgrades and erases, as TestDebianPackage does.
// rpm knows no purge: what was edited, the state and the user stay.
func TestRPMPackage(t *testing.T) {
	needRoot(t)
	r := newTree(t)
	if said := r.rpm("-i", "--nodeps", rpm(t, oldVersion)); strings.Contains(said, "scriptlet failed") {
		t.Errorf("install said %s", said)
	}
	r.checkInstalled(oldVersion)
	r.must("denmap", "config", "check")
	if wrong := strings.TrimSpace(r.rpm("-V", "--nodeps", "--nomtime", "--nouser", "--nogroup", "denmap")); wrong != "" {
		t.Errorf("rpm -V: %s", wrong)
	}
	if r.has("/etc/systemd/system/multi-user.target.wants/denmap.service") {
		t.Error("the service is enabled")
	}

	r.edit("/etc/denmap/deny.list", "# DenMap deny list", "203.0.113.0/24 # edited\n# DenMap deny list")
	r.must("denmap", "bans", "add", "192.0.2.2", "--for", "1h")
	if said := r.rpm("-U", "--nodeps", rpm(t, newVersion)); strings.Contains(said, "scriptlet failed") {
		t.Errorf("upgrade said %s", said)
	}
	r.checkInstalled(newVersion)
	if !strings.Contains(r.read("/etc/denmap/deny.list"), "# edited") {
		t.Error("the upgrade lost an edit")
	}
	if got := strings.TrimSpace(r.rpm("-q", "denmap")); got != "denmap-"+newVersion+"-1.x86_64" {
		t.Errorf("installed: %s", got)
	}

	if said := r.rpm("-e", "--nodeps", "denmap"); strings.Contains(said, "scriptlet failed") {
		t.Errorf("erase said %s", said)
	}
	for name, want := range map[string]bool{
		"/usr/sbin/denmap": false, "/usr/lib/systemd/system/denmap.service": false, "/usr/share/doc/denmap": false,
		"/etc/denmap/denmap.yaml": false, "/etc/denmap/deny.list": false, "/etc/denmap/deny.list.rpmsave": true,
		"/var/lib/denmap/bans.json": true, "/var/log/denmap": true,
	} {
		if r.has(name) != want {
			t.Errorf("after the erasure %s is there: %v, want %v", name, !want, want)
		}
	}
	r.must("getent", "passwd", "denmap")
}
