// SPDX-License-Identifier: MIT

package notify

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	stateFile    = "notify-state.json"
	stateVersion = 1
	maxState     = 64 << 20 // bytes; a digest at its bounds takes about 8 MB
)

// state is what must outlive the process besides the spool.
type state struct {
	Version       int
	Day           string // local date that SentToday is about
	SentToday     int
	LastDetection time.Time
	Digest        *Digest
	Alerts        *Alerts

	// Sums since the state directory was made.
	Dropped, Failed, Overflow uint64
	Refused                   []Refusal
}

// newID returns an identifier that sorts by time.
func newID(now time.Time) (string, error) {
	id, err := ulid.New(ulid.Timestamp(now), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make message identifier: %w", err)
	}
	return id.String(), nil
}

// loadState reads the state in dir. A file that cannot be read is kept
// under another name, and problem says so: forgetting a digest is better
// than to stop telling.
func loadState(dir string, now time.Time) (s *state, problem, err error) {
	path := filepath.Join(dir, stateFile)
	s = &state{}
	readErr := readJSON(path, maxState, s)
	if readErr == nil && s.Version != stateVersion {
		readErr = fmt.Errorf("read %q: version %d, want %d", path, s.Version, stateVersion)
	}
	if readErr != nil {
		s = &state{}
	}
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		problem = readErr
		if err := os.Rename(path, path+".unreadable"); err != nil {
			problem = errors.Join(problem, err)
		}
	}
	s.Version = stateVersion
	if s.Digest == nil || s.Digest.ID == "" {
		id, err := newID(now)
		if err != nil {
			return nil, nil, err
		}
		s.Digest = newDigest(id)
	}
	s.Digest.initialise()
	if s.Alerts == nil {
		s.Alerts = &Alerts{}
	}
	if s.Alerts.ID == "" {
		if s.Alerts.ID, err = newID(now); err != nil {
			return nil, nil, err
		}
	}
	s.Alerts.initialise()
	return s, problem, nil
}

// day returns the local date of now.
func day(now time.Time, loc *time.Location) string { return now.In(loc).Format(time.DateOnly) }

// midnight returns when the day after now's begins.
func midnight(now time.Time, loc *time.Location) time.Time {
	y, m, d := now.In(loc).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, loc)
}
