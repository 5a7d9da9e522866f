// SPDX-License-Identifier: MIT

package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"denmap/testenv/packet"
)

const xdpDrop = 1

// xdpFrags must agree between a program and those it calls.
const xdpFrags = 1 << 5

// sourceKind says whether each packet gets a source of its own.
type sourceKind int

const (
	fixed sourceKind = iota
	random4
	random6 // in 2000::/3
)

// share is the percentage of packets that must go the way of their row.
func (k sourceKind) share() uint64 {
	if k == fixed {
		return 100
	}
	return 90
}

func loadProgram(name string, insns asm.Instructions) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.XDP, AttachType: ebpf.AttachXDP, Instructions: insns, License: "Dual MIT/GPL", Flags: xdpFrags})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return prog, nil
}

// barePaths are the least a program can do, with and without a source for
// each packet.
func barePaths() ([]path, error) {
	drop, err := loadProgram("bare_drop", asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()})
	if err != nil {
		return nil, err
	}
	frame := packet.Connect(client, host, closedPort).Bytes()
	frame6 := packet.Connect(client6, host6, closedPort).Bytes()
	paths := []path{{name: "bare drop", frame: frame, prog: drop, bare: true}}
	for _, k := range []sourceKind{random4, random6} {
		prog, err := randomSource(drop, k)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path{name: "bare drop, random sources", frame: frame6, prog: prog, bare: true, sources: k})
	}
	return paths, nil
}

// randomSource gives every frame a random source and goes on in next.
func randomSource(next *ebpf.Program, kind sourceKind) (*ebpf.Program, error) {
	table, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make program array: %w", err)
	}
	if err := table.Put(uint32(0), next); err != nil {
		return nil, fmt.Errorf("fill program array: %w", err)
	}
	tables = append(tables, table)
	const source4, source6 = 14 + 12, 14 + 8
	insns := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1), asm.FnGetPrandomU32.Call()}
	end := int32(source4 + 4)
	if kind == random6 {
		end = source6 + 8
		insns = append(insns,
			asm.Mov.Reg(asm.R7, asm.R0),
			asm.FnGetPrandomU32.Call(),
			asm.And.Imm(asm.R7, ^0xe0),
			asm.Or.Imm(asm.R7, 0x20), // the lowest byte is the first one of the address
		)
	}
	insns = append(insns,
		asm.LoadMem(asm.R2, asm.R6, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, end),
		asm.JGT.Reg(asm.R4, asm.R3, "out"),
	)
	if kind == random6 {
		insns = append(insns,
			asm.StoreMem(asm.R2, source6, asm.R7, asm.Word),
			asm.StoreMem(asm.R2, source6+4, asm.R0, asm.Word),
		)
	} else {
		insns = append(insns, asm.StoreMem(asm.R2, source4, asm.R0, asm.Word))
	}
	insns = append(insns,
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.LoadMapPtr(asm.R2, table.FD()),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnTailCall.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	)
	return loadProgram("random_source", insns)
}

// tables keeps the program arrays alive: a collected one is emptied.
var tables []*ebpf.Map
