// SPDX-License-Identifier: MIT

package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

const xdpDrop = 1

// xdpFrags must agree between a program and those it calls.
const xdpFrags = 1 << 5

func load(name string, insns asm.Instructions) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Instructions: insns, License: "Dual MIT/GPL", Flags: xdpFrags})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return prog, nil
}

// bareDrop is the least a program can do.
func bareDrop() (*ebpf.Program, error) {
	return load("bare_drop", asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()})
}

// randomSource gives every frame a random IPv4 source and goes on in next.
func randomSource(next *ebpf.Program) (*ebpf.Program, error) {
	table, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make program array: %w", err)
	}
	if err := table.Put(uint32(0), next); err != nil {
		return nil, fmt.Errorf("fill program array: %w", err)
	}
	tables = append(tables, table)
	const source = 14 + 12
	return load("random_source", asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.FnGetPrandomU32.Call(),
		asm.LoadMem(asm.R2, asm.R6, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, source+4),
		asm.JGT.Reg(asm.R4, asm.R3, "out"),
		asm.StoreMem(asm.R2, source, asm.R0, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMapPtr(asm.R2, table.FD()),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	})
}

// tables keeps the program arrays alive: a collected one is emptied.
var tables []*ebpf.Map
