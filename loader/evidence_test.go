// SPDX-License-Identifier: MIT

package loader

import (
	"slices"
	"testing"

	"denmap/bpf"
	"denmap/userspace/event"
)

func TestProof(t *testing.T) {
	ports := [bpf.ScanLayoutPROOFS]uint16{netToHost(22), netToHost(80), netToHost(443)}
	for _, row := range []struct {
		name   string
		source bpf.ScanSource
		grade  event.Grade
		ports  []uint16
	}{
		{"none", bpf.ScanSource{Proofs: ports}, event.Blind, nil},
		{"two ports", bpf.ScanSource{Proofs: ports, Proven: 2}, event.Blind, []uint16{22, 80}},
		{"three ports", bpf.ScanSource{Proofs: ports, Proven: 3}, event.Proven, []uint16{22, 80, 443}},
		{"of a prefix", bpf.ScanSource{Proofs: ports, Proven: 3, Flags: bpf.ScanSourceFlagsSOURCE_MANY}, event.Blind, []uint16{22, 80, 443}},
	} {
		grade, got := proofFrom(row.source)
		if grade != row.grade || !slices.Equal(got, row.ports) {
			t.Errorf("%s: %s by %v, want %s by %v", row.name, grade, got, row.grade, row.ports)
		}
	}
}

// TestProbesWithoutTraces: of a source whose traces gave way the ports, kinds
// and points are left; those of an earlier scan are not taken for this one's.
func TestProbesWithoutTraces(t *testing.T) {
	const two = bpf.ScanPrintPRINT_TWO_POINTS
	v := bpf.ScanSource{First: 100e9, Counted: 4}
	copy(v.Prints[:], []uint32{22, uint32(two) | 80, uint32(event.UDP)<<bpf.ScanPrintPRINT_KIND_SHIFT | 53, 443})
	var traces [bpf.ScanLayoutTRACES]bpf.ScanTrace
	traces[0] = bpf.ScanTrace{Nth: 0, Time: 99e9, Ttl: 64, Score: 9}  // before this scan
	traces[1] = bpf.ScanTrace{Nth: 17, Time: 99e9, Ttl: 64, Score: 9} // of another turn
	traces[3] = bpf.ScanTrace{Nth: 3, Time: 102e9, Ttl: 64, Score: 2, Flags: 2, Tool: uint8(event.ToolNmap)}
	now := readClock()
	first, last := now.time(100e9), now.time(102e9)
	want := []event.Probe{
		{Time: first, Port: 22, Points: 1, Score: 1},
		{Time: first, Port: 80, Points: 2, Score: 3},
		{Time: first, Port: 53, Kind: event.UDP, Points: 1, Score: 1},
		{Time: last, Port: 443, Points: 1, Score: 2, Tool: event.ToolNmap, Known: true, Flags: 2, TTL: 64},
	}
	if got := probesFrom(v, traces[:], now); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
