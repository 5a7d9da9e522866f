// SPDX-License-Identifier: MIT

package netstate

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

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
