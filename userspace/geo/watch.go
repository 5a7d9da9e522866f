// SPDX-License-Identifier: MIT

package geo

import (
	"fmt"
	"os"
	"time"
)

// listed is a file that the user lists, open or not.
type listed struct {
	path       string
	current    *database // the last version that could be opened; nil before
	loaded     stamp     // of current
	refused    stamp     // of a version that could not be opened
	changing   stamp     // of a new version as seen the last time
	complained bool      // about the file as it has been since it was last good
}

// watch looks at the files until the Locator is closed. It asks their
// state instead of waiting for notifications: those do not come from
// network file systems, and get lost where a directory is swapped.
func (l *Locator) watch() {
	ticker := time.NewTicker(l.opts.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			l.poll()
		}
	}
}

// poll loads files that have changed and then stayed the same for one
// round, so that a copy in progress is left to finish.
func (l *Locator) poll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := false
	for _, f := range l.listed {
		before := f.current
		if line := l.look(f); line != "" {
			l.report(line)
		}
		changed = changed || f.current != before
	}
	if changed {
		l.publish()
	}
}

// look returns what there is to report about f, if anything.
func (l *Locator) look(f *listed) string {
	info, err := os.Stat(f.path)
	if err != nil {
		f.changing = stamp{}
		return f.complain(fmt.Errorf("open database %q: %w", f.path, cause(err)))
	}
	switch now := stampOf(info); now {
	case f.loaded:
		f.complained = false
		return ""
	case f.refused:
		return ""
	case f.changing:
		if err := l.load(f); err != nil {
			f.refused = now
			return f.complain(err)
		}
		a := f.current.describe()
		return fmt.Sprintf("loaded database %q: %q, built %s", f.path, a.Type, a.Built.Format(time.DateOnly))
	default:
		f.changing = now
		return ""
	}
}

// complain returns the line about err, once for each time that the file
// goes bad: a slow copy is broken in a new way at every look.
func (f *listed) complain(err error) string {
	if f.complained {
		return ""
	}
	f.complained = true
	if f.current != nil {
		return err.Error() + "; its last good version stays in use"
	}
	return err.Error()
}

// refresh loads f now if it is not the version in use.
func (l *Locator) refresh(f *listed) error {
	if info, err := os.Stat(f.path); err == nil && stampOf(info) == f.loaded {
		return nil
	}
	err := l.load(f)
	f.complained = err != nil
	return err
}

// load opens f; on an error the version in use stays.
func (l *Locator) load(f *listed) error {
	db, version, err := openDatabase(f.path, l.opts.CacheDir, l.report)
	if err != nil {
		return err
	}
	f.current, f.loaded, f.complained = db, version, false
	f.refused, f.changing = stamp{}, stamp{}
	return nil
}

// publish makes the versions in use the ones that look-ups see.
func (l *Locator) publish() {
	files := make([]source, 0, len(l.listed))
	for _, f := range l.listed {
		if f.current != nil {
			files = append(files, f.current)
		}
	}
	l.files.Store(&files)
}
