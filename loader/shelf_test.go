// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"denmap/bpf"
)

// TestPiecesArePinned wants the maps inside maps to be opened by their
// pins, which takes no capability, and none to be left over.
func TestPiecesArePinned(t *testing.T) {
	dir := bpfDir(t)
	pieces := filepath.Join(dir, mapsDir, piecesDir)
	count := func() int {
		t.Helper()
		entries, err := os.ReadDir(pieces)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	k := mustOpen(t, dir)
	entries := []ListEntry{{Prefix: netip.MustParsePrefix("203.0.113.7/32")}, {Prefix: netip.MustParsePrefix("2001:db8:bad::/48")}}
	if _, err := k.SyncList(Deny, entries, nil); err != nil {
		t.Fatal(err)
	}
	full := count()
	if full == 0 {
		t.Fatal("no piece is pinned")
	}
	if err := k.Close(true); err != nil {
		t.Fatal(err)
	}
	// A process that ended between pinning a piece and using it.
	all, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	spec := shared(all)["list6_guides"]
	stray, err := newPiece(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := stray.m.Pin(filepath.Join(pieces, "4294967295")); err != nil {
		t.Fatal(err)
	}
	stray.m.Close()
	k = mustOpen(t, dir)
	defer k.Close(false)
	if got := count(); got != full {
		t.Errorf("%d pieces after the next start, want %d", got, full)
	}
	for _, e := range entries {
		if listed, _, err := k.Listed(Deny, e.Prefix.Addr()); err != nil || !listed {
			t.Errorf("%s listed: %v, %v", e.Prefix, listed, err)
		}
	}
	// Without its pin a piece cannot be had: nothing opens it by its id.
	entriesNow, err := os.ReadDir(pieces)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entriesNow {
		if err := os.Rename(filepath.Join(pieces, e.Name()), filepath.Join(pieces, "away-"+e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := k.Listed(Deny, entries[1].Prefix.Addr()); err == nil {
		t.Error("a piece without a pin was opened by its id, which needs CAP_SYS_ADMIN")
	}
	for _, e := range entriesNow {
		if err := os.Rename(filepath.Join(pieces, "away-"+e.Name()), filepath.Join(pieces, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.SyncList(Deny, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d pieces are pinned for an empty list", got)
	}
}
