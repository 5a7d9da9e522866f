// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// snapshot opens the files of a log, newest first, until stop says that
// one, and so all older ones, are known; that one is returned apart. All
// of them are the caller's to close.
// Files that cannot be opened or are damaged are told to bad, all but the
// current one, whose error is returned.
//
// It walks up the numbers while a writer may rotate: a file only ever
// moves up, so one may be met twice, which is noticed, but none is passed.
// Compression puts PATH.N.gz there before it removes PATH.N, so that order
// of looking finds one of them.
func snapshot(path string, bad func(error), stop func(*segment) bool) (segments []*segment, stopped *segment, err error) {
	defer func() {
		if err != nil {
			closeAll(segments)
			segments = nil
		}
	}()
	highest := 0
	for n := 0; n <= highest; n++ {
		for _, packed := range []bool{false, true} {
			name := path
			if n > 0 {
				name = rotatedPath(path, n, packed)
			} else if packed {
				continue
			}
			s, err := openSegment(name, packed)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil && n == 0 {
				return segments, nil, fmt.Errorf("read log: %w", err)
			}
			if err != nil {
				bad(err)
				continue
			}
			if slices.ContainsFunc(segments, s.same) {
				s.close()
				continue
			}
			if stop(s) {
				return segments, s, nil
			}
			segments = append(segments, s)
		}
		if n == highest { // more than when last looked?
			files, err := rotatedFiles(path)
			if err != nil {
				return segments, nil, err
			}
			if len(files) > 0 {
				highest = max(highest, files[len(files)-1].number)
			}
		}
	}
	return segments, nil, nil
}

func closeAll(segments []*segment) {
	for _, s := range segments {
		s.close()
	}
}
