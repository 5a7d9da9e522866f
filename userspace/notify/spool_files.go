// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SpoolStats is what a spool holds for one target, or in all.
type SpoolStats struct {
	Queued   int
	Bytes    int
	Volatile int       // of Queued, those in memory alone
	Oldest   time.Time // zero if nothing waits
}

// Stats returns what waits for target.
func (s *Spool) Stats(target string) SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	var st SpoolStats
	for _, x := range s.entries[target] {
		st.Queued++
		st.Bytes += x.size
		if !x.onDisk {
			st.Volatile++
		}
		if st.Oldest.IsZero() || x.Message.Created.Before(st.Oldest) {
			st.Oldest = x.Message.Created
		}
	}
	return st
}

// Lost returns how many messages were pushed out by newer ones and how
// many were given up or could not be read, since the spool was opened, and
// the error of the latest write if it failed.
func (s *Spool) Lost() (dropped, failed uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped, s.failed, s.lastErr
}

// Persist writes the messages that are in memory alone, now that the disk
// may have room again.
func (s *Spool) Persist() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.entries {
		for _, x := range list {
			if !x.onDisk && s.write(x) != nil {
				return
			}
		}
	}
}

// write puts x into its file. The caller holds s.mu.
func (s *Spool) write(x *Entry) error {
	data, err := json.Marshal(x)
	if err != nil {
		return s.note(fmt.Errorf("encode message: %w", err))
	}
	x.size = len(data)
	if err := writeFile(filepath.Join(s.dir, x.name), append(data, '\n')); err != nil {
		return s.note(fmt.Errorf("write message: %w", err))
	}
	x.onDisk = true
	return s.note(nil)
}

// remove removes a file that may never have been written.
func (s *Spool) remove(name string) error {
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.note(fmt.Errorf("remove message: %w", err))
	}
	return nil
}

// note remembers the outcome of a write for Lost, and returns it.
func (s *Spool) note(err error) error {
	s.lastErr = err
	return err
}

// setAsideFile moves a file, whatever it is, to the failed directory.
func (s *Spool) setAsideFile(name string) error {
	if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.failedDir(), name)); err != nil {
		return s.note(fmt.Errorf("set message aside: %w", err))
	}
	return nil
}

// trimFailed keeps the newest of the messages that were given up.
func (s *Spool) trimFailed() {
	files, err := os.ReadDir(s.failedDir())
	if err != nil || len(files) <= maxFailed {
		s.note(err)
		return
	}
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	for _, name := range names[:len(names)-maxFailed] {
		// RemoveAll: somebody may have put a directory into the spool.
		if err := os.RemoveAll(filepath.Join(s.failedDir(), name)); err != nil {
			s.note(err)
			return
		}
	}
}
