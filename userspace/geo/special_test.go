// SPDX-License-Identifier: MIT

package geo

import "testing"

func TestSpecialUse(t *testing.T) {
	for address, want := range map[string]string{
		"0.0.0.0": "this network", "10.255.255.255": "private", "172.16.0.1": "private",
		"172.32.0.0": "", "192.168.0.1": "private", "100.64.0.1": "shared",
		"100.128.0.0": "", "127.0.0.1": "loopback", "169.254.1.1": "link-local",
		"192.0.0.8": "protocol assignments", "192.0.0.9": "", "192.0.2.1": "documentation",
		"198.51.100.1": "documentation", "203.0.113.1": "documentation", "233.252.0.1": "documentation",
		"192.88.99.1": "6to4 relay", "198.19.255.255": "benchmarking", "224.0.0.1": "multicast",
		"240.0.0.1": "reserved", "255.255.255.255": "broadcast", "192.31.196.1": "",
		"::": "unspecified", "::1": "loopback", "::2": "reserved", "64:ff9b:1::1": "local translation",
		"100::1": "discard", "2001:1::1": "", "2001:2::1": "benchmarking", "2001:20::1": "ORCHID",
		"2001:100::1": "protocol assignments", "2001:200::1": "", "2001:db8::1": "documentation",
		"3fff:fff::1": "documentation", "3fff:1000::1": "", "4000::1": "reserved",
		"5f00::1": "segment routing", "fd00::1": "unique local", "fe80::1": "link-local",
		"fec0::1": "site-local", "ff02::1": "multicast", "2620::1": "",
	} {
		if got, network := specialUse(addr(address)); got != want {
			t.Errorf("%s is %q (%v), want %q", address, got, network, want)
		}
	}
}

func TestLocatable(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":                      "192.0.2.1",
		"::ffff:192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1%eth0":          "192.0.2.1",
		"2001:db8::1%eth0":               "2001:db8::1",
		"64:ff9b::192.0.2.1":             "192.0.2.1",
		"64:ff9b:1::192.0.2.1":           "64:ff9b:1::c000:201",
		"2002:c000:201::7":               "192.0.2.1",
		"2001:0:c633:6401::3fff:fdfe":    "192.0.2.1",
		"2001:0:cb00:7101:0:1:f5ff:fffe": "10.0.0.1",
		"2001:db8:c000:201::192.0.2.1":   "2001:db8:c000:201::c000:201",
		"2003:c000:201::1":               "2003:c000:201::1",
	} {
		if got := locatable(addr(address)); got != addr(want) {
			t.Errorf("%s: %v, want %s", address, got, want)
		}
	}
}
