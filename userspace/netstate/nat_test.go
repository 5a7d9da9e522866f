// SPDX-License-Identifier: MIT

package netstate

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"denmap/testenv/need"
)

func TestHasTable(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	modules := write("modules", "nf_nat 57344 2 iptable_nat,x, Live 0x0\niptable_nat 16384 1 - Live 0x0\n")
	for text, want := range map[string]bool{"": false, "filter\n": false, "filter\nnat\n": true, "natural\n": false} {
		if got := hasTable(write("names", text), modules, "ip"); got != want {
			t.Errorf("tables %q: %v, want %v", text, got, want)
		}
	}
	if hasTable(filepath.Join(dir, "missing"), modules, "ip") {
		t.Error("a kernel without iptables has a table")
	}
}

// TestHasTableUnprivileged asks as a user who may not read the names.
func TestHasTableUnprivileged(t *testing.T) {
	need.Root(t, "becoming another user")
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	names, modules := filepath.Join(dir, "names"), filepath.Join(dir, "modules")
	if err := errors.Join(os.WriteFile(names, []byte("nat\n"), 0o400),
		os.WriteFile(modules, []byte("nf_nat 1 2 ip6table_nat, Live 0x0\niptable_nat 1 1 - Live 0x0\n"), 0o444)); err != nil {
		t.Fatal(err)
	}
	done := make(chan [2]bool)
	go func() {
		// The thread ends with the goroutine, and its user with it.
		runtime.LockOSThread()
		if _, _, err := unix.RawSyscall(unix.SYS_SETFSUID, 64999, 0, 0); err != 0 {
			t.Error(err)
		}
		done <- [2]bool{hasTable(names, modules, "ip"), hasTable(names, modules, "ip6")}
	}()
	if got := <-done; got != [2]bool{true, false} {
		t.Errorf("iptables, ip6tables: %v, want true, false", got)
	}
}

func TestPublishes(t *testing.T) {
	enterNamespace(t)
	check := func(what string, want bool) {
		t.Helper()
		if got, err := publishes(); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	check("no rules", false)
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat"})
	add := func(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return conn.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: priority})
	}
	in := add("in", nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	out := add("out", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	conn.AddRule(&nftables.Rule{Table: table, Chain: out, Exprs: []expr.Any{&expr.Masq{}}})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	check("masquerading only", false)
	conn.AddRule(&nftables.Rule{Table: table, Chain: in, Exprs: []expr.Any{&expr.Redir{}}})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	check("a rule for incoming packets", true)
}
