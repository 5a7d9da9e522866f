// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// layoutVersion is that of bpf/scan.h. Pinned state of an older version is
// taken over, of a newer one refused.
const layoutVersion = bpf.ScanLayoutLAYOUT_VERSION

// LayoutError says why pinned state cannot be used as it is. It is
// ErrLayout.
type LayoutError struct {
	Found  int    // version of the pinned state
	Detail string // what differs, where the versions do not
}

func (e *LayoutError) Error() string {
	switch {
	case e.Newer():
		return fmt.Sprintf("pinned state has layout %d, and this denmap knows layouts up to %d: start the newer denmap again, or end its protection with denmap detach", e.Found, layoutVersion)
	case e.Found == 0:
		return "pinned state has no layout version: denmap detach removes it"
	case e.Found == int(layoutVersion):
		return "pinned state was made by another build, " + e.Detail + ": the next denmap attach takes it over"
	}
	return fmt.Sprintf("pinned state has layout %d, and this denmap has layout %d: the next denmap attach takes it over", e.Found, layoutVersion)
}

// Is makes it ErrLayout.
func (e *LayoutError) Is(target error) bool { return target == ErrLayout }

// Newer reports whether a later denmap pinned the state, so that this one
// cannot know what it means.
func (e *LayoutError) Newer() bool { return e.Found > int(layoutVersion) }

// readLayout returns the layout version of the state pinned at dir. A
// missing or foreign identity is version 0.
func readLayout(dir string) (int, []byte, error) {
	metas, err := ebpf.LoadPinnedMap(filepath.Join(dir, "metas"), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("open pinned map %q: %w", "metas", err)
	}
	defer metas.Close()
	if metas.KeySize() != 4 || metas.ValueSize() < 4 {
		return 0, nil, nil
	}
	raw, err := metas.LookupBytes(uint32(0))
	if err != nil {
		return 0, nil, fmt.Errorf("read identity of pinned state: %w", err)
	}
	if len(raw) < 4 {
		return 0, nil, nil
	}
	return int(binary.NativeEndian.Uint32(raw)), raw, nil
}
