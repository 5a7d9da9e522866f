// SPDX-License-Identifier: MIT

package loader

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"denmap/bpf"
)

// TestProgramFitsLinux515 wants nothing in the program that Linux 5.15, the
// oldest kernel supported, does not have: include/uapi/linux/bpf.h of it.
// Kfuncs are left out: those of conntrack are weak, and do without.
func TestProgramFitsLinux515(t *testing.T) {
	spec, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	program := spec.Programs["scan_xdp"]
	calls := 0
	for _, ins := range program.Instructions {
		if !ins.IsBuiltinCall() {
			continue
		}
		calls++
		if helper := asm.BuiltinFunc(ins.Constant); helper > asm.FnTaskPtRegs {
			t.Errorf("the program calls %v, which is newer", helper)
		}
	}
	if calls == 0 {
		t.Error("no call of a helper was found")
	}
	for name, m := range spec.Maps {
		if m.Type > ebpf.TaskStorage {
			t.Errorf("map %q is of type %v, which is newer", name, m.Type)
		}
	}
}
