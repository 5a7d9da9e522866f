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
