// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"denmap/userspace/lists"
	"denmap/userspace/netstate"
)

// testNow is the present of tests without a kernel.
var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testHost is the host of every test: its address, gateway, DNS server and
// the administrator's.
func testHost() (netstate.Snapshot, error) {
	return netstate.Snapshot{
		Interfaces: []netstate.Interface{
			{Index: 1, Name: "lo", LinkLayer: "loopback", Up: true},
			{Index: 2, Name: "eth0", LinkLayer: "ether", Up: true},
			{Index: 3, Name: "wan1", LinkLayer: "ether", Up: true},
		},
		Own:       []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1%2")},
		Gateways:  []netip.Addr{netip.MustParseAddr("192.0.2.254")},
		Resolvers: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
		Sessions:  []netip.Addr{netip.MustParseAddr("198.51.100.22")},
	}, nil
}

// console is a command line in a directory of its own.
type console struct {
	t   *testing.T
	env *environment
	dir string
}

// outcome is what a command left behind. The directory is written "$DIR".
type outcome struct {
	code           int
	stdout, stderr string
}

func newConsole(t *testing.T) *console {
	t.Helper()
	dir := t.TempDir()
	c := &console{t: t, dir: dir, env: &environment{
		Getenv:     func(string) string { return "" },
		Now:        func() time.Time { return testNow },
		Zone:       time.UTC,
		PinDir:     filepath.Join(dir, "bpf", "denmap"),
		ConfigPath: filepath.Join(dir, "denmap.yaml"),
		Root:       true,
		Hints:      true,
		Network:    testHost,
		Caller:     func() []netip.Addr { return nil },
	}}
	c.configure("")
	return c
}

// configure writes the configuration: where things are, and more.
func (c *console) configure(more string) {
	c.t.Helper()
	c.write("denmap.yaml", strings.ReplaceAll(`lists: {allow: $DIR/allow.list, deny: $DIR/deny.list}
log: {path: $DIR/log/events.log}
state_dir: $DIR/state
`, "$DIR", c.dir)+more)
}

func (c *console) path(name string) string { return filepath.Join(c.dir, name) }

func (c *console) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// read returns a file's content, "" if there is none.
func (c *console) read(name string) string {
	c.t.Helper()
	content, err := os.ReadFile(c.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	return string(content)
}

func (c *console) run(args ...string) outcome {
	c.t.Helper()
	return c.runInput("", args...)
}

func (c *console) runInput(stdin string, args ...string) outcome {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	env := *c.env
	env.Stdin, env.Stdout, env.Stderr = strings.NewReader(stdin), &stdout, &stderr
	code := run(ctx, &env, args)
	return outcome{code, c.hide(stdout.String()), c.hide(stderr.String())}
}

func (c *console) hide(text string) string { return strings.ReplaceAll(text, c.dir, "$DIR") }

// expect runs a command line, of words without blanks, and compares.
func (c *console) expect(line string, want outcome) {
	c.t.Helper()
	c.compare(line, c.run(strings.Fields(line)...), want)
}

func (c *console) compare(line string, got, want outcome) {
	c.t.Helper()
	if got.code != want.code {
		c.t.Errorf("denmap %s: exit code %d, want %d", line, got.code, want.code)
	}
	if got.stdout != want.stdout {
		c.t.Errorf("denmap %s: standard output\n%s\nwant\n%s", line, got.stdout, want.stdout)
	}
	if got.stderr != want.stderr {
		c.t.Errorf("denmap %s: standard error\n%s\nwant\n%s", line, got.stderr, want.stderr)
	}
}

// refused is the outcome of a command line that fails with these lines.
func refused(code int, lines ...string) outcome {
	text := "denmap: error: " + lines[0] + "\n"
	for _, line := range lines[1:] {
		text += "denmap: hint: " + line + "\n"
	}
	return outcome{code: code, stderr: text}
}

// said is the outcome of a command that only talks.
func said(lines ...string) outcome {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString("denmap: " + line + "\n")
	}
	return outcome{stderr: text.String()}
}

// unparsable is what the list package says of what is no address.
func unparsable(text string) string {
	_, err := lists.ParsePrefix(text)
	return err.Error()
}
