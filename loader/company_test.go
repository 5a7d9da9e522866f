// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// TestAloneOrInCompany: the program says of a source whether others send the
// same at the same moment, as decoys do.
func TestAloneOrInCompany(t *testing.T) {
	sources := []netip.Addr{scanner4, netip.MustParseAddr("203.0.113.8"), netip.MustParseAddr("203.0.113.9")}
	probe := func(source netip.Addr, port, from uint16) []byte {
		p := packet.Nmap(source, host4, port)
		p.SrcPort = from
		return p.Bytes()
	}
	const ports = 4 // two points each
	for name, scan := range map[string]func(r *rig){
		"one": func(r *rig) {
			for port := range uint16(ports) {
				r.run(probe(sources[0], 7000+port, 40000))
			}
		},
		"one after the other": func(r *rig) {
			for _, s := range sources {
				for port := range uint16(ports) {
					r.run(probe(s, 7000+port, 40000))
				}
				r.advance(time.Second)
			}
		},
		"at once, not the same": func(r *rig) {
			for n, s := range sources {
				for port := range uint16(ports) {
					r.run(probe(s, 7000+port, 40000+uint16(n)))
				}
			}
		},
		"decoys": func(r *rig) {
			for port := range uint16(ports) {
				for _, s := range sources {
					r.run(probe(s, 7000+port, 40000))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, enforcing())
			scan(r)
			bans := 0
			for _, d := range r.drain() {
				if d.Alone != (name != "decoys") {
					t.Errorf("%v of %s: alone %v", d.Verdict, d.Source, d.Alone)
				}
				if d.Verdict == event.VerdictBan {
					bans++
				}
			}
			if want := len(sources); bans != want && name != "one" || bans == 0 {
				t.Errorf("%d bans, want %d", bans, want)
			}
		})
	}
}
