// SPDX-License-Identifier: MIT

// Package loader is the only door to the kernel: it loads and attaches the
// XDP program, owns the pinned state under Options.Dir, and turns events
// and table entries into plain values of package event.
//
// A Kernel is the daemon's view and exclusive; a State is what commands use
// beside it, or without it. Both are safe for concurrent use.
package loader

import "errors"

// DefaultDir is where maps and links are pinned.
const DefaultDir = "/sys/fs/bpf/denmap"

// Errors that callers tell apart.
var (
	// ErrNotAttached: there is no pinned state, so nothing is protected.
	ErrNotAttached = errors.New("DenMap is not attached")
	// ErrRunning: another daemon holds the pinned state.
	ErrRunning = errors.New("another denmap attach is running")
	// ErrNoNativeXDP: the native hook was asked for, and the driver has none.
	ErrNoNativeXDP = errors.New("its driver takes no native XDP")
	// ErrForeignXDP: the interface carries somebody else's XDP program.
	ErrForeignXDP = errors.New("another XDP program is attached")
	// ErrLayout: the pinned state was written by another layout version. It
	// comes as a *LayoutError.
	ErrLayout = errors.New("pinned state has another layout")
	// ErrNoInterface: no interface of that name exists.
	ErrNoInterface = errors.New("no such interface")
)
