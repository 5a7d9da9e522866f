// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

func failing(context.Context) error { return errBusy }

func TestScans(t *testing.T) {
	b := newBench(t)
	b.demo(3)
	c := b.signIn()
	r := c.do("GET", "/api/v1/scans?span=week&source=203.0.113.0/24&country=cn&kind=odd-flags&action=banned&limit=7&after=x", nil).want(http.StatusOK)
	f := b.history.filter
	if f.Source != prefix("203.0.113.0/24") || f.Country != "CN" || f.Kinds != event.Kinds(0).With(event.OddFlags) || f.Action != history.Banned || f.Limit != 7 || f.After != "x" {
		t.Errorf("filter = %+v", f)
	}
	if age := b.clock.now().Sub(f.Since); age < 7*24*time.Hour || age > 7*24*time.Hour+time.Minute {
		t.Errorf("since %v", age)
	}
	if r.get("scans") == nil {
		t.Errorf("scans = %s", r.body)
	}
	b.history.next = "more"
	r = c.do("GET", "/api/v1/scans?limit=2", nil).want(http.StatusOK)
	if len(r.get("scans").([]any)) != 2 || r.get("next") != "more" || r.get("scans", 0, "source") != "203.0.113.7" {
		t.Errorf("scans = %s", r.body)
	}
	for _, query := range []string{"span=year", "source=x", "country=GBR", "kind=sniff", "limit=9999", "limit=x"} {
		c.do("GET", "/api/v1/scans?"+query, nil).want(http.StatusUnprocessableEntity)
	}
	b.history.fail = history.ErrBadCursor
	c.do("GET", "/api/v1/scans?after=x", nil).want(http.StatusUnprocessableEntity)
}

func TestTimeline(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	b.history.buckets = []history.Bucket{{Start: start, Probes: 9, Scans: 3, Bans: 1, Dropped: 40, Passed: 60}, {Start: start.Add(15 * time.Minute)}}
	for _, span := range []string{"hour", "day", "week", "month"} {
		r := c.do("GET", "/api/v1/timeline?span="+span, nil).want(http.StatusOK)
		if string(b.history.span) != span || r.get("seconds") != 900.0 || r.get("buckets", 0, "alerts") != 3.0 || r.get("buckets", 0, "drops") != 40.0 || r.get("buckets", 0, "packets") != 100.0 {
			t.Errorf("%s: %s", span, r.body)
		}
	}
	c.do("GET", "/api/v1/timeline?span=forever", nil).want(http.StatusUnprocessableEntity, "hour, day, week or month")
}

func TestCountries(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.history.countries = []history.CountryTotal{{ISO: "GB", Name: "United Kingdom", Scans: 3, Sources: 2, Banned: 1}, {Scans: 1, Sources: 1}}
	b.history.places = []history.PlaceTotal{{Latitude: 51.5, Longitude: -0.1, ISO: "GB", City: "London", Scans: 2, Sources: 1, Banned: 1}}
	r := c.do("GET", "/api/v1/countries", nil).want(http.StatusOK)
	if r.get("places", 0, "lat") != 51.5 || r.get("places", 0, "lon") != -0.1 || r.get("places", 0, "iso") != "GB" || r.get("places", 0, "city") != "London" ||
		r.get("places", 0, "scans") != 2.0 || r.get("places", 0, "sources") != 1.0 || r.get("places", 0, "banned") != 1.0 {
		t.Errorf("places = %s", r.body)
	}
	if r.get("countries", 0, "iso") != "GB" || r.get("countries", 0, "banned") != 1.0 || r.get("countries", 1, "iso") != nil {
		t.Errorf("countries = %s", r.body)
	}
}

// TestNoHistory: every view says so, and none breaks.
func TestNoHistory(t *testing.T) {
	for name, change := range map[string]func(*bench, *Options){
		"none":        func(_ *bench, o *Options) { o.History = nil },
		"unavailable": func(b *bench, _ *Options) { b.history.fail = history.ErrUnavailable },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, change)
			c := b.signIn()
			for _, path := range []string{"scans", "timeline", "countries"} {
				c.do("GET", "/api/v1/"+path, nil).want(http.StatusServiceUnavailable, "history")
			}
			c.do("GET", "/api/v1/source?address=203.0.113.9", nil).want(http.StatusOK, "history")
			c.do("GET", "/api/v1/now", nil).want(http.StatusOK)
		})
	}
}

func TestSource(t *testing.T) {
	b := newBench(t)
	b.demo(40)
	c := b.signIn()
	b.write("allow.list", "203.0.113.0/24 watch # ours\n")
	b.write("deny.list", "203.0.113.27\n")
	r := c.do("GET", "/api/v1/source?address=203.0.113.27", nil).want(http.StatusOK)
	for _, row := range []struct {
		want any
		path []any
	}{
		{"203.0.113.27", []any{"source"}}, {"United Kingdom", []any{"place", "country"}}, {"allow", []any{"listed", 0, "list"}}, {"203.0.113.0/24", []any{"listed", 0, "address"}},
		{true, []any{"listed", 0, "watch"}}, {"deny", []any{"listed", 1, "list"}}, {"203.0.113.27", []any{"live", "source"}}, {true, []any{"capture"}}, {"crafted", []any{"probes", 0, "outcome"}}, {443.0, []any{"handshakes", 1}},
	} {
		if got := r.get(row.path...); got != row.want {
			t.Errorf("%v = %v, want %v", row.path, got, row.want)
		}
	}
	if r.get("past", "scans").(float64) < 1 || len(r.get("scans").([]any)) == 0 {
		t.Errorf("past = %v", r.get("past"))
	}
	r = c.do("GET", "/api/v1/source?address=192.0.2.254", nil).want(http.StatusOK)
	if r.get("live") != nil || r.get("past") != nil || r.get("precious") != "it is a gateway" || r.get("capture") != false {
		t.Errorf("a stranger: %s", r.body)
	}
	for _, bad := range []string{"", "x", "203.0.113.9/24"} {
		c.do("GET", "/api/v1/source?address="+bad, nil).want(http.StatusUnprocessableEntity)
	}
	// An address inside a scored network is shown with the network.
	now := b.clock.now()
	b.kernel.set([]event.Source{{Prefix: prefix("2001:db8:5:5::/64"), First: now, Last: now, Score: 5}}, nil)
	b.clock.forward(2 * time.Second)
	r = c.do("GET", "/api/v1/source?address=2001:db8:5:5::9", nil).want(http.StatusOK)
	if r.get("live", "source") != "2001:db8:5:5::/64" {
		t.Errorf("live = %v", r.get("live"))
	}
}

func TestCapture(t *testing.T) {
	b := newBench(t)
	b.demo(10)
	c := b.signIn()
	r := c.do("GET", "/api/v1/source/capture?address="+demoAddr(4).Addr().String(), nil).want(http.StatusOK)
	if !strings.HasPrefix(r.body, "\xd4\xc3\xb2\xa1") || r.Header.Get("Content-Type") != "application/vnd.tcpdump.pcap" || r.Header.Get("Content-Disposition") != `attachment; filename="denmap-203.0.113.27.pcap"` {
		t.Errorf("%v %q", r.Header, r.body)
	}
	r = c.do("GET", "/api/v1/source/capture?address=2001:db8::/64", nil).want(http.StatusNotFound, "no packets")
	if r.Header.Get("Content-Disposition") != "" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers of a refusal: %v", r.Header)
	}
}

func TestHealth(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.monitor.counters = []Counter{{"eth0", "pass", "open", 5}, {"eth0", "lost", "event", 2}, {"eth1", "lost", "event", 3}}
	b.monitor.health.Lost = []event.Loss{{Stage: "queue", Count: 4}}
	b.monitor.health.Mail = &notify.Status{Queued: 6, LastError: "connect: refused"}
	r := c.do("GET", "/api/v1/health", nil).want(http.StatusOK)
	if r.get("interfaces", 0, "name") != "eth0" || r.get("counters", 0, "packets") != 5.0 || len(r.get("counters").([]any)) != 1 ||
		r.get("lost", 0, "count") != 5.0 || r.get("lost", 1, "count") != 4.0 || r.get("mail", "queued") != 6.0 || r.get("pulse", "mail_queue") != 6.0 {
		t.Errorf("health = %s", r.body)
	}
	if !strings.Contains(r.body, "mail: connect: refused") {
		t.Errorf("no problem in %s", r.body)
	}
}
