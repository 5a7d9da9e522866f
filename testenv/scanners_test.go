// SPDX-License-Identifier: MIT

package testenv

import (
	"net/netip"
	"testing"
)

// TestOtherScanners runs the scanners that are not Nmap, as fast as they
// go. All of them send what no kernel does.
func TestOtherScanners(t *testing.T) {
	swept := netip.MustParsePrefix("198.51.100.64/28") // the victim's, all of it
	tests := []struct {
		scanner
		run func(attacker, victim *Host) Result
	}{
		{scanner{"masscan", "syn", "masscan", true, nil}, func(a, v *Host) Result { return a.Masscan(v, "1-10000") }},
		{scanner{"hping3 scan", "syn", "hping3", true, nil}, hping("--scan", "1-200", "-S")},
		{scanner{"hping3 SYN", "syn", "hping3", true, nil}, hping("-S", "-c", "50", "-i", "u2000", "-p", "++1")},
		{scanner{"hping3 FIN", "fin", "hping3", true, nil}, hping("-F", "-c", "50", "-i", "u2000", "-p", "++1")},
		{scanner{"zmap", "", "zmap", true, nil}, func(a, v *Host) Result { return a.Tool("zmap", ZmapArgs(a, v, 81, swept)...) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lab := New(t, Options{})
			victim, attacker := lab.Host("victim"), lab.Host("attacker")
			for addr := swept.Addr(); swept.Contains(addr); addr = addr.Next() {
				victim.AddAddr(uplink, netip.PrefixFrom(addr, Net4.Bits()))
			}
			victim.Serve(openPorts...)
			victim.Attach()
			counter := victim.CountTCP(uplink)

			// Scanners disagree on what an exit code is when nobody answers.
			result := test.run(attacker, victim)

			ban := victim.WaitBan(attacker.IPv4)
			checkBan(t, ban, test.scanner, attacker.IPv4)
			if through := counter.From(attacker.IPv4); through.Packets != 0 {
				t.Errorf("%d packets got through, to ports %v, flags %v; want none\n%v",
					through.Packets, through.Closed(), through.Flags, result)
			}
			checkLogSize(t, victim, attacker.IPv4)
		})
	}
}

// hping runs hping3 with these arguments and the victim's address.
func hping(args ...string) func(attacker, victim *Host) Result {
	return func(attacker, victim *Host) Result {
		return attacker.Tool("hping3", append(args, victim.IPv4.String())...)
	}
}
