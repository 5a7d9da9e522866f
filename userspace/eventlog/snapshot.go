// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// snapshot opens the files of a log that have a line, newest first, until
// stop says that one, and so all older ones, are known; that one is
// returned apart. All of them are the caller's to close. Files that cannot
// be opened or are damaged are told to bad, all but the current one, whose
// error is returned.
//
// A writer may rotate meanwhile: what is older than any file of the answer
// is in the answer, and what is newer is found by the next call.
func snapshot(path string, bad func(error), stop func(*segment) bool) (segments []*segment, stopped *segment, err error) {
	segments, stopped, err = walk(path, bad, stop)
	if err != nil {
		closeAll(segments)
		return nil, nil, err
	}
	segments = slices.DeleteFunc(segments, func(s *segment) bool {
		if s.finger == "" {
			s.close()
			return true
		}
		return false
	})
	if len(segments) > 1 {
		segments, err = sortByAge(path, segments)
	}
	if err != nil {
		closeAll(segments)
		if stopped != nil {
			stopped.close()
		}
		return nil, nil, err
	}
	return segments, stopped, nil
}

// walk looks at the numbers upwards. A file only ever moves up, and
// compression puts PATH.N.gz there before it removes PATH.N, so no file
// that was there at the start is passed by. One may be met twice, and a
// new one may be met behind older ones.
func walk(path string, bad func(error), stop func(*segment) bool) (segments []*segment, stopped *segment, err error) {
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
			if i := slices.IndexFunc(segments, s.same); i >= 0 {
				if segments[i].finger == "" { // it was empty when it was met first
					segments[i], s = s, segments[i]
				}
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

// sortByAge puts files in order, newest first. A walk may meet a file that
// is newer than its start behind older ones, but the files given here all
// exist by now, so a second walk meets them in their order. What it opens
// takes their place: where the current file was copied and cut meanwhile,
// the content is in the copy. A file that it does not meet was removed, as
// the oldest are.
func sortByAge(path string, segments []*segment) ([]*segment, error) {
	find := func(s *segment) int {
		return slices.IndexFunc(segments, func(t *segment) bool { return s.finger == t.finger })
	}
	met := map[int]bool{}
	again, last, err := walk(path, func(error) {}, func(s *segment) bool {
		if i := find(s); i >= 0 {
			met[i] = true
		}
		return len(met) == len(segments)
	})
	if err != nil {
		closeAll(again)
		return segments, err
	}
	if last != nil {
		again = append(again, last)
	}
	var sorted []*segment
	for _, s := range again {
		i := find(s)
		if i < 0 {
			s.close()
			continue
		}
		sorted = append(sorted, s)
		segments[i].close()
		segments = slices.Delete(segments, i, i+1)
	}
	return append(sorted, segments...), nil
}

func closeAll(segments []*segment) {
	for _, s := range segments {
		s.close()
	}
}
