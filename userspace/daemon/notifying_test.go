// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

// hangingNotifier never returns from anything until it is closed.
type hangingNotifier chan struct{}

func (h hangingNotifier) Handle(event.Event, []byte)           { <-h }
func (h hangingNotifier) Notice(Notice)                        { <-h }
func (h hangingNotifier) SetInternal([]netip.Prefix)           {}
func (h hangingNotifier) Run(context.Context) error            { <-h; return nil }
func (h hangingNotifier) open(config.Config) (Notifier, error) { return h, nil }

// TestNotifierHangs wants the log to go on, also over a reload, and the end
// to come.
func TestNotifierHangs(t *testing.T) {
	w := newWorld(t, "eth0")
	hang := make(hangingNotifier)
	w.opts.Notify = hang.open
	w.run()
	for range 3 {
		w.detect("198.51.100.1/32", event.VerdictBan)
	}
	w.logged(event.SourceBanned, nil)
	w.configure(func(c *config.Config) { c.Mail.Host = "192.0.2.25" })
	w.reload()
	w.detect("198.51.100.2/32", event.VerdictBan)
	w.logged(event.SourceBanned, func(e event.Event) bool { return e.Scan.Source.String() == "198.51.100.2/32" })
	close(hang)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// TestNotifyQueue bounds what waits for a notifier that hangs.
func TestNotifyQueue(t *testing.T) {
	w := newWorld(t)
	hang := make(hangingNotifier)
	w.opts.Notify = hang.open
	n := startNotifying(w.opts.withDefaults(), newTeller(w.report), nil)
	for range notifyQueue + 10 {
		n.put(tidings{event: event.Event{Action: event.EventsLost, Lost: &event.Loss{}}})
	}
	if lost := n.lost.Load(); lost < 9 || lost > 10 {
		t.Errorf("%d events counted, want those that found no room", lost)
	}
	close(hang)
	n.close()
	if w.count("events found no room and are not told") == 0 {
		t.Errorf("it said:\n%s", w.saying())
	}
}

// TestNotifyReload exchanges the notifier only for settings of its own,
// and goes back to the old one if the new one cannot be had.
func TestNotifyReload(t *testing.T) {
	w := newWorld(t, "eth0")
	first, second := &fakeNotifier{}, &fakeNotifier{}
	w.opts.Notify = func(c config.Config) (Notifier, error) {
		switch c.Mail.Host {
		case "":
			return first, nil
		case "bad":
			return nil, errors.New("mail host is strange")
		}
		return second, nil
	}
	w.run()
	w.configure(func(c *config.Config) { c.Detect.BanScore = 9 })
	w.reload()
	w.configure(func(c *config.Config) { c.Mail.Host = "bad" })
	w.reload()
	w.until("refusal", func() bool {
		return w.count("mail host is strange; the old mail and notify settings stay in force") == 1
	})
	w.until("notice", func() bool { return len(first.noticed()) == 1 })
	if n := first.noticed()[0]; n.Class != ConfigRefused || !strings.Contains(n.Text, "mail host is strange") {
		t.Errorf("notice %+v", n)
	}
	w.configure(func(c *config.Config) { c.Mail.Host = "192.0.2.25" })
	w.reload()
	w.detect("198.51.100.1/32", event.VerdictBan)
	w.until("event at the second", func() bool { return second.count() > 0 })
	first.mu.Lock()
	defer first.mu.Unlock()
	if first.ended != 2 || first.running {
		t.Errorf("the first ended %d times, running %v; want 2: once for the bad one, once for good", first.ended, first.running)
	}
}

func (n *fakeNotifier) noticed() []Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.notices)
}

// TestRefusalsNoticed tells people of configuration and lists that are not
// used.
func TestRefusalsNoticed(t *testing.T) {
	w := newWorld(t, "eth0")
	n := &fakeNotifier{}
	w.opts.Notify = func(config.Config) (Notifier, error) { return n, nil }
	w.run()
	w.mu.Lock()
	w.badly = errors.New("denmap.yaml:3: mail.host: expected mail.to to be set too\ndenmap.yaml:9: more")
	w.mu.Unlock()
	w.reload()
	w.until("notice", func() bool { return len(n.noticed()) == 1 })
	if got := n.noticed()[0]; got.Class != ConfigRefused || strings.Contains(got.Text, "\n") ||
		!strings.HasSuffix(got.Text, "more; what was in force before stays so") {
		t.Errorf("notice %+v", got)
	}
	w.write(w.config.Lists.Deny, "203.0.113.1/24\n")
	w.until("notice of the list", func() bool { return len(n.noticed()) == 2 })
	if got := n.noticed()[1]; got.Key != w.config.Lists.Deny || !strings.Contains(got.Text, "203.0.113.1/24") {
		t.Errorf("notice %+v", got)
	}
}

// TestFullTable is told once until there is room again.
func TestFullTable(t *testing.T) {
	w := newWorld(t, "eth0")
	n := &fakeNotifier{}
	w.opts.Notify = func(config.Config) (Notifier, error) { return n, nil }
	w.run()
	fill := func(entries int) {
		w.kernel.with(func() {
			w.kernel.fills = []Fill{{"sources", entries, 1000}, {"deny_addrs", 1000, 1000}, {"protected", 1, 0}}
		})
	}
	fill(970)
	w.ticking("warning", func() bool { return w.count("warning: table sources is full (970 of 1000 entries)") == 1 })
	fill(930)
	for range 30 {
		w.clock.advance(time.Second)
	}
	fill(990)
	for range 30 {
		w.clock.advance(time.Second)
	}
	fill(800)
	w.ticking("room", func() bool { return w.count("table sources has room again") == 1 })
	fill(990)
	w.ticking("second warning", func() bool { return w.count("warning: table sources is full") == 2 })
	w.until("notices", func() bool { return len(n.noticed()) == 2 })
	if got := n.noticed()[0]; got.Class != TableFull || got.Key != "sources" {
		t.Errorf("notice %+v", got)
	}
	if w.count("is full") != 2 {
		t.Errorf("it said:\n%s", w.saying())
	}
}

// TestInternalNetworks follows the networks that the host is connected to.
// A default route on a link makes none.
func TestInternalNetworks(t *testing.T) {
	w := newWorld(t, "eth0")
	n := &fakeNotifier{}
	w.opts.Notify = func(config.Config) (Notifier, error) { return n, nil }
	here, there := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:7::/64")
	w.host.change(func(s *netstate.Snapshot) { s.OnLink = []netip.Prefix{here} })
	w.run()
	internal := func() []netip.Prefix {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.onLink
	}
	if got := internal(); !slices.Equal(got, []netip.Prefix{here}) {
		t.Errorf("internal at the start: %v", got)
	}
	w.host.change(func(s *netstate.Snapshot) {
		s.OnLink = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), here, netip.MustParsePrefix("::/1"), there}
	})
	w.until("change", func() bool { return slices.Equal(internal(), []netip.Prefix{here, there}) })
}
