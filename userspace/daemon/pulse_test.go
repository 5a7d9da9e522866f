// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// stuckFile is a file of bans on a disk that hangs once it is told to.
type stuckFile struct {
	BanFile
	hang chan struct{} // closed: the disk answers
	hold chan bool     // a value: the next save hangs
}

func (f *stuckFile) Update(ctx context.Context, change func([]event.Ban) []event.Ban) error {
	select {
	case <-f.hold:
		<-f.hang
	default:
	}
	return f.BanFile.Update(ctx, change)
}

// TestWorkerHangs: the rest of the daemon goes on and says who hangs.
func TestWorkerHangs(t *testing.T) {
	w := newWorld(t, "eth0")
	file := &stuckFile{hang: make(chan struct{}), hold: make(chan bool, 1)}
	bans := w.opts.Bans
	w.opts.Bans = func(dir string) BanFile {
		file.BanFile = bans(dir)
		return file
	}
	w.run()
	file.hold <- true
	w.ban("198.51.100.1/32", event.Blind, time.Hour)
	w.ticking("word of the hanging disk", func() bool {
		return strings.Contains(w.troubles()["hang: saved bans"].Text, "bans are not saved")
	})
	if got := w.troubles(); len(got) != 1 {
		t.Errorf("troubles: %+v, want that of the bans alone", got)
	}
	close(file.hang)
	w.ticking("its end", func() bool { return len(w.troubles()) == 0 && len(w.savedBans()) == 1 })
	w.says("saved bans: looked after again")
}
