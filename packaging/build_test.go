// SPDX-License-Identifier: MIT

package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestToolsGo: what builds the packages asks for the same Go as the program.
// The go command does not fetch a newer one for a -modfile.
func TestToolsGo(t *testing.T) {
	wants := make(map[string]string)
	for _, name := range []string{"../go.mod", "tools.mod"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if version, ok := strings.CutPrefix(line, "go "); ok {
				wants[name] = strings.TrimSpace(version)
			}
		}
	}
	if wants["../go.mod"] == "" || wants["tools.mod"] != wants["../go.mod"] {
		t.Errorf("Go versions: %v, want the same", wants)
	}
}

// TestReproducible builds everything twice: the same bytes.
func TestReproducible(t *testing.T) {
	first, second := build(t, oldVersion, "deb rpm tar"), build(t, oldVersion, "deb rpm tar")
	entries, err := os.ReadDir(first)
	if err != nil || len(entries) != 3 {
		t.Fatalf("packages: %v, %v, want three", entries, err)
	}
	for _, e := range entries {
		a, errA := os.ReadFile(filepath.Join(first, e.Name()))
		b, errB := os.ReadFile(filepath.Join(second, e.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two builds (%v, %v)", e.Name(), errA, errB)
		}
	}
	t.Run("rpm", func(t *testing.T) { checkRPM(t, filepath.Join(first, "denmap_"+oldVersion+"_amd64.rpm")) })
}

// checkRPM looks at the package with rpm; TestRPMPackage installs it.
func checkRPM(t *testing.T, file string) {
	t.Helper()
	query := func(args ...string) string {
		out, err := exec.Command("rpm", append([]string{"--nosignature", "-qp"}, append(args, file)...)...).Output()
		if err != nil {
			t.Fatalf("rpm %v: %v", args, err)
		}
		return string(out)
	}
	if got := query("--qf", "%{NAME} %{VERSION} %{ARCH} %{BUILDHOST}"); got != "denmap "+oldVersion+" x86_64 denmap" {
		t.Errorf("package: %s", got)
	}
	got := query("--qf", `[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEFLAGS:fflags}\n]`)
	for _, want := range []string{
		"/usr/sbin/denmap -rwxr-xr-x root \n",
		"/usr/lib/systemd/system/denmap.service -rw-r--r-- root \n",
		"/usr/lib/sysusers.d/denmap.conf -rw-r--r-- root \n",
		"/usr/lib/tmpfiles.d/denmap.conf -rw-r--r-- root \n",
		"/usr/share/man/man8/denmap.8.gz -rw-r--r-- root \n",
		"/etc/denmap/denmap.yaml -rw-r----- root cn\n",
		"/etc/denmap/allow.list -rw-r----- root cn\n",
		"/etc/denmap/deny.list -rw-r----- root cn\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q among the files:\n%s", want, got)
		}
	}
	scripts := query("--scripts")
	for _, want := range []string{"postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet"} {
		if !strings.Contains(scripts, want) {
			t.Errorf("no %s", want)
		}
	}
}
