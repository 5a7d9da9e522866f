// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

func TestSparedSources(t *testing.T) {
	for _, row := range []struct {
		name    string
		monitor bool
		prepare func(*rig) error
		flags   func(event.Detection) bool
	}{
		{"monitor mode", true, func(*rig) error { return nil },
			func(d event.Detection) bool { return !d.Protected && !d.Watched }},
		{"protected", false, func(r *rig) error {
			return r.SetHost(Host{Own: []netip.Addr{host4}, Protected: []netip.Addr{scanner4}})
		}, func(d event.Detection) bool { return d.Protected }},
		{"watched", false, func(r *rig) error {
			_, err := r.SyncList(Allow, []ListEntry{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Watch: true}}, nil)
			return err
		}, func(d event.Detection) bool { return d.Watched }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, RunnerOptions{Settings: defaults(), Monitor: row.monitor})
			if err := row.prepare(r); err != nil {
				t.Fatal(err)
			}
			for port := range uint16(50) {
				if got := r.run(packet.Connect(scanner4, host4, 1000+port).Bytes()); got != xdpPass {
					t.Fatalf("probe %d was dropped", port+1)
				}
			}
			got := r.drain()
			if len(got) != 2 || got[1].Verdict != event.VerdictWouldBan || !row.flags(got[1]) {
				t.Errorf("events: %+v", got)
			}
			if bans, err := r.Bans(); err != nil || len(bans) != 0 {
				t.Errorf("bans: %v, %v", bans, err)
			}
		})
	}
}

func TestAddressRulesInOrder(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		r := newRig(t, enforcing())
		data := packet.Connect(src, host(src), 80)
		data.Flags, data.Payload = packet.ACK, []byte("x")
		want := func(what, want string) {
			t.Helper()
			if got := r.verdict(data.Bytes()); got != want {
				t.Errorf("%v %s: got %q, want %q", src, what, got, want)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		sync := func(list ListName, prefixes ...netip.Prefix) {
			t.Helper()
			var entries []ListEntry
			for _, p := range prefixes {
				entries = append(entries, ListEntry{Prefix: p.Masked()})
			}
			_, err := r.SyncList(list, entries, nil)
			must(err)
		}
		whole, net := netip.PrefixFrom(src, src.BitLen()), netip.PrefixFrom(src, 24)
		want("nothing listed", "pass established")
		must(r.AddBan(event.Ban{Source: whole, Grade: event.Manual, Until: time.Now().Add(100 * time.Hour)}))
		want("manual ban", "drop banned")
		sync(Deny, net)
		want("denied network", "drop denied")
		sync(Deny, whole)
		want("denied address", "drop denied")
		sync(Allow, net)
		want("allowed network", "pass allowed")
		sync(Allow)
		want("allow list emptied", "drop denied")
		must(r.Pause(time.Now().Add(200 * time.Hour)))
		want("paused", "pass paused")
		must(r.Resume())
		want("resumed", "drop denied")
		must(r.Heartbeat(10 * time.Second))
		must(r.SetClock(awake() + 9*time.Second))
		want("heartbeat heard", "drop denied")
		must(r.SetClock(awake() + 11*time.Second))
		want("daemon silent", "pass paused")
		must(r.Heartbeat(0))
		want("no dead man's switch", "drop denied")
		must(r.SetClock(time.Hour))
		sync(Deny)
		want("deny list emptied", "drop banned")
		if found, err := r.RemoveBan(whole); err != nil || !found {
			t.Fatal(found, err)
		}
		want("unbanned", "pass established")
	}
}

func TestSyncListTouchesOnlyTheDifference(t *testing.T) {
	r := newRig(t, enforcing())
	entries := []ListEntry{
		{Prefix: netip.MustParsePrefix("192.0.2.1/32")}, {Prefix: netip.MustParsePrefix("198.51.100.0/24")},
		{Prefix: netip.MustParsePrefix("2001:db8::/32")}, {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Watch: true},
	}
	// The two IPv4 entries lie in two /16.
	for _, row := range []struct {
		want    []ListEntry
		written int
	}{{entries, 4}, {entries, 0}, {entries[:2], 2}, {entries[1:], 3}, {nil, 3}} {
		written, err := r.SyncList(Allow, row.want, nil)
		if err != nil || written != row.written {
			t.Errorf("%d entries: wrote %d, %v; want %d", len(row.want), written, err, row.written)
		}
	}
	if gate, err := r.gate(); err != nil || gate.Sets != 0 || gate.Tables != 0 {
		t.Errorf("gate of an empty list: %+v, %v", gate, err)
	}
	if bytes, err := r.ListMemory(); err != nil || bytes != 0 {
		t.Errorf("empty lists take %d bytes, %v", bytes, err)
	}
}

func TestDeniedSourcesAreDroppedHoweverBroken(t *testing.T) {
	r := newRig(t, enforcing())
	if _, err := r.SyncList(Deny, []ListEntry{{Prefix: netip.PrefixFrom(scanner6, 128)}}, nil); err != nil {
		t.Fatal(err)
	}
	broken := packet.Connect(scanner6, host6, 80)
	broken.Extensions = []packet.Extension{{Number: 60, Body: []byte{255, 1, 4, 0, 0, 0, 0}}}
	if got := r.verdict(broken.Bytes()); got != "drop denied" {
		t.Errorf("extension header beyond the packet: %q", got)
	}
}

func TestShortIPv6PrefixesMeanIPv6(t *testing.T) {
	r := newRig(t, enforcing())
	if _, err := r.SyncList(Deny, []ListEntry{{Prefix: netip.MustParsePrefix("::/0")}}, nil); err != nil {
		t.Fatal(err)
	}
	for src, want := range map[netip.Addr]string{scanner4: "pass counted", scanner6: "drop denied"} {
		if got := r.verdict(packet.Connect(src, host(src), 81).Bytes()); got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}
