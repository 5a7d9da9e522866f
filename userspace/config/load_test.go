// SPDX-License-Identifier: MIT

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "denmap.yaml")
	mustWrite(t, path, "mode: monitor\ndetect: {ban_score: 10}\n")
	mustWrite(t, filepath.Join(dir, "conf.d/50-page.yaml"), "detect: {ban_score: 12}\nban: {duration: 1h}\n")
	mustWrite(t, filepath.Join(dir, "conf.d/10-site.yaml"), "detect: {ban_score: 11, decay: 1h}\n")
	mustWrite(t, filepath.Join(dir, "conf.d/README"), "not: yaml: at all")
	mustWrite(t, filepath.Join(dir, "conf.d/.50-page.yaml"), "half: written")
	want := Default()
	want.Mode = Monitor
	want.Detect.BanScore = 12
	want.Detect.Decay = time.Hour
	want.Ban.Duration = time.Hour
	for _, named := range []bool{false, true} {
		c, err := Load(path, named)
		if err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("named %v: got %+v, %v", named, c, err)
		}
	}

	bad := filepath.Join(dir, "conf.d/60-bad.yaml")
	mustWrite(t, bad, "\nmode: x\n")
	_, err := Load(path, true)
	if err == nil || err.Error() != bad+`:2: mode: "x": expected enforce or monitor` {
		t.Errorf("got %v", err)
	}
}

func TestLoadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "denmap.yaml")
	for _, named := range []bool{false, true} {
		_, err := Load(path, named)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("named %v: got %v, want that %s does not exist", named, err, path)
		}
	}
	if _, err := os.Lstat(filepath.Dir(DefaultPath)); !errors.Is(err, fs.ErrNotExist) {
		return // this host has a configuration of its own
	}
	if c, err := Load(DefaultPath, false); err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("got %+v, %v, want the defaults", c, err)
	}
	if _, err := Load(DefaultPath, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was asked for and is missing gave %v", err)
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, "big")
	mustWrite(t, big, "#"+strings.Repeat("x", maxFile))
	for path, want := range map[string]string{
		dir:         "regular file",
		fifo:        "regular file",
		"/dev/zero": "regular file",
		big:         "at most 1 MiB",
	} {
		if _, err := Load(path, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	full := filepath.Join(dir, "full")
	mustWrite(t, full, "#"+strings.Repeat("x", maxFile-1))
	if _, err := Load(full, true); err != nil {
		t.Errorf("a file of 1 MiB: %v", err)
	}

	path := filepath.Join(dir, "denmap.yaml")
	mustWrite(t, path, "mode: monitor\n")
	if err := os.MkdirAll(filepath.Join(dir, "conf.d/10.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, true); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a directory in conf.d: got %v", err)
	}
}
