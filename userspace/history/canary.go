// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"denmap/userspace/account"
)

const (
	// canaryName is a file beside the database that only canary writes.
	canaryName = ".history.alive"

	// canaryFresh is for how long an answer counts, canaryWait how long one
	// is waited for.
	canaryFresh = 200 * time.Millisecond
	canaryWait  = 5 * time.Second
)

// errHangs is a disk that does not answer.
var errHangs = errors.New("the disk does not answer")

// canary asks a disk to write one byte before SQLite works on it. SQLite
// maps the index of its write-ahead log into memory, and who touches such
// memory on a disk that hangs is stopped in the middle of Go code: the
// garbage collector then waits for that thread, and everybody for the
// collector. A system call that hangs holds up nobody but its caller.
type canary struct {
	path string

	mu       sync.Mutex
	answered time.Time     // when the disk last did
	asking   chan struct{} // closed with the answer; nil: nothing is asked
}

func newCanary(database string) *canary {
	return &canary{path: filepath.Join(filepath.Dir(database), canaryName)}
}

// ask returns errHangs if the disk does not answer in time. Any answer is
// one: what an error means is for SQLite to say.
func (c *canary) ask(ctx context.Context) error {
	answer := c.begin()
	if answer == nil {
		return nil
	}
	timer := time.NewTimer(canaryWait)
	defer timer.Stop()
	select {
	case <-answer:
		return nil
	case <-timer.C:
		return errHangs
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin asks, unless somebody does already, and returns what the answer
// closes; nil while the last one is fresh.
func (c *canary) begin() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking == nil && time.Since(c.answered) < canaryFresh {
		return nil
	}
	if c.asking == nil {
		c.asking = make(chan struct{})
		go c.write(c.asking)
	}
	return c.asking
}

func (c *canary) write(answer chan struct{}) {
	f, err := os.OpenFile(c.path, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW, fileMode)
	if err == nil {
		_ = account.HandOver(f)
		_, _ = f.WriteAt([]byte{'\n'}, 0)
		_ = f.Sync()
		_ = f.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered, c.asking = time.Now(), nil
	close(answer)
}
