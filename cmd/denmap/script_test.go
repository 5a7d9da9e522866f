// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary the denmap of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"denmap": scriptMain})
}

// scriptMain is main but for the place of the kernel state and the host's
// addresses, which are the same wherever the scripts run.
func scriptMain() {
	env := hostEnvironment()
	env.PinDir = filepath.Join(os.Getenv("WORK"), "bpf", "denmap")
	env.Network = testHost
	os.Exit(run(context.Background(), env, os.Args[1:]))
}

// TestScripts runs the command line as users' scripts do. Every script
// finds a configuration that keeps everything below its own directory.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("WORK", e.WorkDir)
			e.Setenv("DENMAP_CONFIG", filepath.Join(e.WorkDir, "denmap.yaml"))
			text := strings.ReplaceAll("lists: {allow: WORK/allow.list, deny: WORK/deny.list}\nlog: {path: WORK/log/events.log}\nstate_dir: WORK/state\n", "WORK", e.WorkDir)
			return os.WriteFile(filepath.Join(e.WorkDir, "denmap.yaml"), []byte(text), 0o600)
		},
	})
}
