// SPDX-License-Identifier: MIT

// Package vuln holds the check for known vulnerabilities, and the test
// that it tells a finding from a database that cannot be reached.
package vuln

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// finding is an entry of the Go vulnerability database (OSV format,
// go.dev/security/vuln/database): a made-up one about a function that
// package units calls.
const finding = `{"schema_version":"1.3.1","id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z",
"published":"2026-01-01T00:00:00Z","summary":"made up","details":"made up","affected":[
{"package":{"name":"stdlib","ecosystem":"Go"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
"ecosystem_specific":{"imports":[{"path":"strconv","symbols":["FormatInt"]}]}}],
"database_specific":{"url":"https://pkg.go.dev/vuln/GO-0000-0001","review_status":"REVIEWED"}}`

func TestCheck(t *testing.T) {
	tests := []struct {
		name    string
		entries map[string]string // of the database, by file; nil: there is none
		options []string
		code    int
		says    string
	}{
		{"nothing known", map[string]string{
			"index/db.json":      `{"modified":"2026-01-01T00:00:00Z"}`,
			"index/modules.json": `[]`,
		}, nil, 0, "No vulnerabilities found"},
		{"finding", map[string]string{
			"index/db.json":        `{"modified":"2026-01-01T00:00:00Z"}`,
			"index/modules.json":   `[{"path":"stdlib","vulns":[{"id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z"}]}]`,
			"ID/GO-0000-0001.json": finding,
		}, []string{"--offline-ok"}, 1, "vulncheck: findings above"},
		{"unreachable", nil, nil, 2, "vulncheck: NOT CHECKED"},
		{"unreachable, allowed", nil, []string{"--offline-ok"}, 0, "vulncheck: NOT CHECKED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Nothing listens on the discard port of this host.
			db := "http://127.0.0.1:9"
			if test.entries != nil {
				dir := t.TempDir()
				for name, text := range test.entries {
					mustWrite(t, filepath.Join(dir, name), text)
				}
				db = "file://" + dir
			}
			cmd := exec.CommandContext(t.Context(), "sh", append(append([]string{"check.sh"}, test.options...), "./userspace/units")...)
			cmd.Env = append(os.Environ(), "VULNDB="+db)
			said, err := cmd.CombinedOutput()
			code := 0
			if exit := new(exec.ExitError); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != test.code || !strings.Contains(string(said), test.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, test.code, test.says, said)
			}
		})
	}
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
