// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// retryRotation is how long a rotation that went wrong is left alone.
const retryRotation = time.Minute

// rotate puts a new file in place of the full one. If that cannot be done
// the full one is written on: a line beyond the limit is better than a
// line lost.
func (l *Log) rotate() bool {
	now := l.opts.Now()
	if now.Before(l.retry) {
		return false
	}
	if err := l.moveAway(); err != nil {
		l.retry = now.Add(retryRotation)
		l.reports = l.rotating.failed(l.reports, "event log: "+err.Error())
		return false
	}
	l.retry = time.Time{}
	l.reports = l.rotating.worked(l.reports, "event log: rotated again")
	l.stats.Rotations++
	l.packer.wake()
	return true
}

func (l *Log) moveAway() error {
	path := l.opts.Path
	old, err := l.file.Stat()
	if err != nil {
		return err
	}
	// Somebody else rotated already: only a new file is missing.
	if now, err := os.Stat(path); err == nil && os.SameFile(old, now) {
		if err := shift(path, l.opts.Keep); err != nil {
			return err
		}
		if l.opts.Keep == 0 {
			err = os.Remove(path)
		} else {
			err = os.Rename(path, rotatedPath(path, 1, false))
		}
		if err != nil {
			return fmt.Errorf("rotate log: %w", err)
		}
	}
	if err := l.open(); err != nil {
		return err
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok {
		// A group that may read the log keeps doing so. Without the right
		// to give files away the new file stays with this process's group.
		_ = l.file.Chown(int(st.Uid), int(st.Gid))
	}
	return nil
}
