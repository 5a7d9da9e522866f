// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
)

// TestLocatorHangs opens databases on a disk that does not answer: the
// start and the log go on, and locations come when it does.
func TestLocatorHangs(t *testing.T) {
	w := newWorld(t, "eth0")
	hang := make(chan struct{})
	w.opts.Locate = func(config.Config) (Locator, error) {
		<-hang
		return &fakeLocator{country: "Utopia"}, nil
	}
	began := time.Now()
	w.run()
	if took := time.Since(began); took >= locatePatience {
		t.Errorf("the start waited: %v", took)
	}
	w.says("the location databases do not answer; events go on without them")
	w.detect("198.51.100.1/32", event.VerdictBan)
	if e := w.logged(event.SourceBanned, nil); e.Scan.Place != (event.Place{}) {
		t.Errorf("place %+v", e.Scan.Place)
	}
	close(hang)
	place := func() bool { return w.located() == "Utopia" }
	w.until("location", place)
}

// located sends one more scan and returns the country in its event.
func (w *world) located() string {
	w.scans++
	source := fmt.Sprintf("203.0.113.%d/32", w.scans%250)
	w.detect(source, event.VerdictBan)
	return w.logged(event.SourceBanned, func(e event.Event) bool { return e.Scan.Source.String() == source }).Scan.Place.Country
}

// TestLocatorReload says each problem in a line of its own and exchanges
// the locator for other settings only.
func TestLocatorReload(t *testing.T) {
	w := newWorld(t, "eth0")
	first, second := &fakeLocator{country: "Utopia"}, &fakeLocator{country: "Erewhon"}
	w.opts.Locate = func(c config.Config) (Locator, error) {
		if len(c.Geo.Databases) == 0 {
			return first, nil
		}
		return second, errors.Join(errors.New("one is missing"), errors.New("the other is corrupt"))
	}
	w.run()
	w.reload()
	w.until("reload", func() bool { return w.count("reload: key file is gone") == 1 })
	w.configure(func(c *config.Config) { c.Geo.Databases = []string{"/a", "/b"} })
	w.reload()
	w.until("exchange", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.closed
	})
	for _, line := range []string{"one is missing; events go on without it", "the other is corrupt; events go on without it"} {
		if w.count(line) != 1 {
			t.Errorf("no line of its own: %q; it said:\n%s", line, w.saying())
		}
	}
	if got := w.located(); got != "Erewhon" {
		t.Errorf("country %q", got)
	}
}
