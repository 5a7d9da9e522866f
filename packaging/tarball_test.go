// SPDX-License-Identifier: MIT

package packaging

import (
	"fmt"
	"path/filepath"
	"testing"

	"denmap/testenv"
)

// TestTarball installs from the tarball, as docs/operations.md says for
// another distribution: the program is static, and the service protects.
func TestTarball(t *testing.T) {
	needRoot(t)
	lab := testenv.New(t, testenv.Options{Hosts: []string{"victim"}})
	m := boot(t, lab.Host("victim"))
	file := m.put(filepath.Join(build(t, oldVersion, "tar"), fmt.Sprintf("denmap_%s_amd64.tar.gz", oldVersion)))
	m.must("tar", "-C", "/opt", "-xzf", file)
	unpacked := "/opt/denmap-" + oldVersion
	m.must("cp", "-r", unpacked+"/usr", unpacked+"/etc", "/")
	m.must("systemd-sysusers", "denmap.conf")
	m.must("chown", "-R", "denmap:denmap", "/etc/denmap")
	m.must("systemd-tmpfiles", "--create", "denmap.conf")
	m.must("systemctl", "daemon-reload")
	if out, err := m.run("ldd", "/usr/sbin/denmap"); err == nil {
		t.Errorf("the program is not static: %s", out)
	}
	m.edit("/etc/denmap/denmap.yaml", "#interfaces: []", "interfaces: [eth0]")
	m.must("systemctl", "start", "denmap")
	m.protected(true, "after the start")
	m.confined()
	m.usable("from the tarball")
	m.must("systemctl", "stop", "denmap")
	m.protected(false, "after the stop")
}
