// SPDX-License-Identifier: MIT

package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestBan(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	r := c.do("POST", "/api/v1/bans", map[string]any{"source": "203.0.113.9", "for": "2h", "reason": "abuse report"}).want(http.StatusOK, "banned 203.0.113.9 for 2h")
	ban, ok := b.kernel.banned(t, "203.0.113.9")
	if !ok || ban.Grade != event.Manual || ban.Reason != "abuse report" || ban.Until.Sub(ban.Since) != 2*time.Hour {
		t.Errorf("ban = %+v, %v", ban, ok)
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK, "undone")
	if _, ok := b.kernel.banned(t, "203.0.113.9"); ok {
		t.Error("still banned after undo")
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusNotFound)

	c.do("POST", "/api/v1/bans", map[string]any{"source": "2001:db8:1:2::/64"}).want(http.StatusOK, "for 10m")
	if _, ok := b.kernel.banned(t, "2001:db8:1:2::/64"); !ok {
		t.Error("a scored IPv6 network was not banned")
	}
}

// TestBanUndoPutsBack: what was in force before a ban is so again after it
// was taken back.
func TestBanUndoPutsBack(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	now := b.clock.now()
	before := event.Ban{Source: prefix("203.0.113.9"), Grade: event.Proven, Since: now, Until: now.Add(time.Hour), Dropped: 7}
	b.kernel.set(nil, []event.Ban{before})
	r := c.do("POST", "/api/v1/bans", map[string]any{"source": "203.0.113.9", "for": "1d"}).want(http.StatusOK)
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK)
	bans, _ := b.kernel.Bans()
	if len(bans) != 1 || bans[0] != before {
		t.Errorf("bans = %+v, want %+v", bans, before)
	}
}

func TestBanRefusals(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	for _, row := range []struct {
		body   map[string]any
		status int
		field  string
		text   string
	}{
		{map[string]any{"source": "not-an-address"}, 422, "source", `address \"not-an-address\": expected an address or network`},
		{map[string]any{"source": "224.0.0.251"}, 422, "source", "nothing comes from a multicast or unspecified address"},
		{map[string]any{"source": "203.0.113.0/24"}, 422, "source", "expected one address; the deny list keeps a whole network out"},
		{map[string]any{"source": "2001:db8::/48"}, 422, "source", "expected one address or a /64"},
		{map[string]any{"source": "203.0.113.9/24"}, 422, "source", "host bits"},
		{map[string]any{"source": ""}, 422, "source", "expected"},
		{map[string]any{"source": "203.0.113.9", "for": "soon"}, 422, "for", "soon"},
		{map[string]any{"source": "203.0.113.9", "reason": "two\nlines"}, 422, "reason", ""},
		{map[string]any{"source": "192.0.2.254"}, 409, "source", `ban \"192.0.2.254\": it is a gateway`},
		{map[string]any{"source": "192.0.2.10"}, 409, "source", "an address of this host"},
	} {
		r := c.do("POST", "/api/v1/bans", row.body).want(row.status, row.text)
		if got := r.get("field"); got != row.field {
			t.Errorf("%v: field %v, want %s", row.body, got, row.field)
		}
	}
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("refused, but in force: %v", bans)
	}
	c.do("POST", "/api/v1/bans", map[string]any{"source": "192.0.2.254", "force": true}).want(http.StatusOK)
	if _, ok := b.kernel.banned(t, "192.0.2.254"); !ok {
		t.Error("force bans nobody")
	}
	b.write("allow.list", "203.0.113.0/24 # ours\n")
	c.do("POST", "/api/v1/bans", map[string]any{"source": "203.0.113.9"}).want(http.StatusOK, "is on the allow list", "line 1", "beats the ban")
}

func TestUnban(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	now := b.clock.now()
	ban := event.Ban{Source: prefix("203.0.113.9"), Grade: event.Proven, Since: now, Until: now.Add(time.Hour), Dropped: 7}
	b.kernel.set([]event.Source{{Prefix: prefix("203.0.113.7"), First: now, Last: now, Score: 3}}, []event.Ban{ban})
	r := c.do("DELETE", "/api/v1/bans?source=203.0.113.9", nil).want(http.StatusOK, "unbanned 203.0.113.9")
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("bans = %v", bans)
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK)
	if got, _ := b.kernel.banned(t, "203.0.113.9"); got != ban {
		t.Errorf("ban after undo = %+v, want %+v", got, ban)
	}
	c.do("DELETE", "/api/v1/bans?source=203.0.113.7", nil).want(http.StatusOK, "forgot the score")
	c.do("DELETE", "/api/v1/bans?source=203.0.113.8", nil).want(http.StatusNotFound, "not banned")
	c.do("DELETE", "/api/v1/bans?source=nobody", nil).want(http.StatusUnprocessableEntity)
	c.do("DELETE", "/api/v1/bans", nil).want(http.StatusUnprocessableEntity)
}

// TestUndoEnds: too late, and ends of bans that have passed meanwhile.
func TestUndoEnds(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	now := b.clock.now()
	b.kernel.set(nil, []event.Ban{{Source: prefix("203.0.113.9"), Since: now, Until: now.Add(time.Minute)}})
	short := c.do("DELETE", "/api/v1/bans?source=203.0.113.9", nil).want(http.StatusOK)
	b.clock.forward(2 * time.Minute)
	c.do("POST", "/api/v1/undo", map[string]any{"undo": short.get("undo")}).want(http.StatusOK)
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("a ban that would be over is in force: %v", bans)
	}
	late := c.do("POST", "/api/v1/bans", map[string]any{"source": "203.0.113.9", "for": "1h"}).want(http.StatusOK)
	b.clock.forward(undoLife)
	c.do("POST", "/api/v1/undo", map[string]any{"undo": late.get("undo")}).want(http.StatusNotFound, "any more")
	c.do("POST", "/api/v1/undo", map[string]any{"undo": strings.Repeat("x", 43)}).want(http.StatusNotFound)
}
