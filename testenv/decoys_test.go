// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// decoyAddrs returns three addresses that no host of the lab has.
func decoyAddrs(version int) (out []netip.Addr) {
	for i := range 3 {
		if version == 4 {
			out = append(out, netip.AddrFrom4([4]byte{203, 0, 113, byte(5 + i)}))
			continue
		}
		raw := netip.MustParseAddr("2001:db8:d0::5").As16()
		raw[6] = byte(i) // a network of its own each
		out = append(out, netip.AddrFrom16(raw))
	}
	return out
}

// TestDecoys hides a scan among forged sources. All four are one event and
// named together, and none gets more than a blind ban.
func TestDecoys(t *testing.T) {
	for _, scan := range []struct {
		kind string
		args []string
	}{
		{"syn", []string{"-sS", "-F"}},
		{"fin", []string{"-sF", "-F"}},
		{"ack", []string{"-sA", "-F"}},
		{"udp", []string{"-sU", "--top-ports", "60"}},
		{"ip-protocol", []string{"-sO"}},
	} {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("%s/ipv%d", scan.kind, version), func(t *testing.T) {
				t.Parallel()
				v := newVisit(New(t, Options{}), version)
				attacker := v.lab.Host("attacker")
				sources := decoyAddrs(version)
				args := append([]string{"-n", "-Pn", "-T4", "--max-retries", "0", "-D"}, strings.Trim(strings.ReplaceAll(fmt.Sprint(sources), " ", ","), "[]")+",ME")
				if version == 4 {
					sources = append(sources, attacker.IPv4)
				} else {
					sources, args = append(sources, attacker.IPv6), append(args, "-6")
				}
				v.victim.Serve(openPorts...)
				v.victim.Attach()
				attacker.MustTool("nmap", append(append(args, scan.args...), v.to.String())...)

				for _, source := range sources {
					ban := v.victim.WaitLog(5*time.Second, "ban of "+source.String(), func(l LogLine) bool {
						return l.Event.Action == "source-banned" && l.About(source)
					})
					if ban.Denmap.Grade != "blind" || ban.Denmap.Group.Size != len(sources) || ban.Denmap.Scan[0] != scan.kind {
						t.Errorf("%v: grade %q, a group of %d, kinds %q; want a blind ban, a group of %d, %q", source,
							ban.Denmap.Grade, ban.Denmap.Group.Size, ban.Denmap.Scan, len(sources), scan.kind)
					}
				}
				alerts := 0
				for _, line := range v.victim.Log() {
					if line.Event.Action == "scan-detected" {
						alerts++
					}
				}
				if alerts != 1 {
					t.Errorf("%d alerts, want one for the group", alerts)
				}
			})
		}
	}
}

// TestAdministratorAsDecoy has a scanner name the address of somebody who is
// logged in among its decoys: the others are banned, that one is not.
func TestAdministratorAsDecoy(t *testing.T) {
	for _, args := range [][]string{{"-sS", "-F"}, {"-sO"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			v := newVisit(New(t, Options{}), 4)
			attacker := v.lab.Host("attacker")
			v.victim.WriteFile("/run/utmp", string(utmpRecord(v.from)))
			v.victim.ServeHTTP(22)
			v.victim.Attach()
			attacker.MustTool("nmap", append(append([]string{"-n", "-Pn", "-T4", "--max-retries", "0", "-D", v.from.String() + ",ME"}, args...), v.to.String())...)

			v.victim.WaitBan(attacker.IPv4)
			line := v.victim.WaitLog(5*time.Second, "the administrator's address", func(l LogLine) bool {
				return l.About(v.from) && l.Denmap.Score >= 8
			})
			if line.Denmap.Enforced || line.Denmap.Group.Size != 2 || !strings.Contains(line.Raw, `"protected":true`) {
				t.Errorf("banned, or not named as protected and one of two: %s", line.Raw)
			}
			if !v.client.Reaches(v.to, 22, time.Second) {
				t.Error("the administrator is cut off")
			}
		})
	}
}
