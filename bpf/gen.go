// SPDX-License-Identifier: MIT

// Package bpf holds DenMap's XDP program and the Go code generated from
// it. The layouts of events and of pinned state are written once, in
// scan.h and the headers beside it; nothing here has logic. Only package
// loader imports it.
package bpf

//go:generate sh generate.sh
