// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// TestForgedFloods scans a port a second in the midst of 100,000 packets a
// second of forged sources, which send so many different ports each. It ends
// with the ban, or after DENMAP_FLOOD_SOURCES sources.
func TestForgedFloods(t *testing.T) {
	const perSecond = 100_000
	least := uint32(envNumber(t, "DENMAP_FLOOD_SOURCES", 0))
	for _, row := range []struct {
		name  string
		probe func(src, dst netip.Addr, port uint16) packet.TCP
		ports int
	}{
		{"one packet each", packet.Connect, 1},
		{"two packets each", packet.Connect, 2},
		{"two raw packets each", bareSYN, 2},
		{"three packets each", packet.Connect, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := enforcing()
			o.Seed = 1
			r := newRig(t, o)
			kept := map[event.Grade]netip.Prefix{
				event.Manual: netip.MustParsePrefix("192.0.2.7/32"), event.Proven: netip.MustParsePrefix("192.0.2.8/32"),
			}
			for grade, source := range kept {
				if err := r.AddBan(event.Ban{Source: source, Grade: grade}); err != nil {
					t.Fatal(err)
				}
			}
			flood := row.probe(netip.MustParseAddr("203.0.113.1"), host4, 0)
			const first = 0x0a000000
			frame, forged, sent, lines, banned := flood.Bytes(), uint32(first), 0, 0, 0
			for banned == 0 && sent < 14 || forged-first < least {
				for range perSecond / row.ports {
					forged++
					for port := range row.ports {
						binary.BigEndian.PutUint32(frame[26:], forged)
						binary.BigEndian.PutUint16(frame[36:], uint16(5001+port))
						r.run(frame)
					}
				}
				sent++
				r.run(packet.Connect(scanner4, host4, uint16(4000+sent)).Bytes())
				for _, d := range r.drain() {
					lines++
					if d.Source.Addr() == scanner4 && d.Verdict == event.VerdictBan {
						banned = sent
					}
				}
				r.advance(time.Second)
			}
			t.Logf("%d forged sources, the scan banned after %d probes, %d events", forged-first, banned, lines)
			if banned == 0 || banned > 10 {
				t.Errorf("the scan is banned after %d probes (0: never), want 8 or little more", banned)
			}
			if lines > 100 {
				t.Errorf("%d events", lines)
			}
			for grade, source := range kept {
				if _, found, err := r.Ban(source); err != nil || !found {
					t.Errorf("the %v ban: %v, %v", grade, found, err)
				}
			}
			if got := r.verdict(packet.Connect(scanner4, host4, 3999).Bytes()); got != "drop banned" {
				t.Errorf("the scanner's next port: %q", got)
			}
		})
	}
}

// bareSYN is what simple forgers send: no options, two points.
func bareSYN(src, dst netip.Addr, port uint16) packet.TCP {
	p := packet.Connect(src, dst, port)
	p.Options, p.DF = nil, false
	return p
}

// TestKernelMemory adds up what the tables take, but for the operator's
// lists. Those that senders can fill are allocated whole.
func TestKernelMemory(t *testing.T) {
	const most = 64 << 20
	r := newRig(t, enforcing())
	total := uint64(0)
	for name, m := range r.maps {
		if strings.HasPrefix(name, "allow") || strings.HasPrefix(name, "deny") {
			continue
		}
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes, _ := info.Memlock() // an empty trie takes none
		if total += bytes; bytes >= 1<<20 {
			t.Logf("%s: %d KiB", name, bytes>>10)
		}
	}
	t.Logf("in all %d KiB", total>>10)
	if total > most {
		t.Errorf("the tables take %d KiB, at most %d may", total>>10, most>>10)
	}
}
