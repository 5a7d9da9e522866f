// SPDX-License-Identifier: MIT

package lists

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	tests := []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"2001:DB8:0::/32", "2001:db8::/32"},
		{"::/0", "::/0"},
	}
	for _, tt := range tests {
		got, err := ParsePrefix(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("ParsePrefix(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestParsePrefixRefuses(t *testing.T) {
	tests := []struct {
		in    string
		wants []string // parts of the error
	}{
		{"", []string{`""`, "192.0.2.0/24"}},
		{"example.com", []string{`"example.com"`, "expected an address or network"}},
		{"192.0.2.7/24", []string{"host bits", "192.0.2.0/24", "192.0.2.7"}},
		{"2001:db8::7/32", []string{"host bits", "2001:db8::/32"}},
		{"::ffff:192.0.2.1", []string{"IPv4 form, 192.0.2.1"}},
		{"::ffff:192.0.2.1/120", []string{"IPv4 form, 192.0.2.0/24"}},
		{"::ffff:192.0.2.1/128", []string{"IPv4 form, 192.0.2.1"}},
		{"::ffff:0:0/90", []string{"expected an IPv4 or IPv6 network"}},
		{"fe80::1%eth0", []string{"no zone", "fe80::1"}},
		{"fe80::%eth0/64", []string{"no zone", "fe80::/64"}},
		{"192.0.2.0/33", []string{"0 to 32"}},
		{"192.0.2.0/-1", []string{"0 to 32"}},
		{"192.0.2.0/+8", []string{"0 to 32"}},
		{"192.0.2.0/08", []string{"0 to 32"}},
		{"192.0.2.0/", []string{"0 to 32"}},
		{"192.0.2.0/255.255.255.0", []string{"0 to 32"}},
		{"192.0.2.0/24/24", []string{"0 to 32"}},
		{"2001:db8::/129", []string{"0 to 128"}},
		{"192.0.2.0-192.0.2.9", []string{"expected an address or network"}},
		{"192.0.2", []string{"expected an address or network"}},
		{"192.0.02.1", []string{"expected an address or network"}},
		{" 192.0.2.1", []string{"expected an address or network"}},
		{"192.0.2.1\n", []string{`\n`}},
		{strings.Repeat("ä", 1<<20), []string{"ä...", "expected"}},
	}
	for _, tt := range tests {
		got, err := ParsePrefix(tt.in)
		if err == nil {
			t.Errorf("ParsePrefix(%.40q) = %v, want an error", tt.in, got)
			continue
		}
		for _, want := range append(tt.wants, "expected") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("ParsePrefix(%.40q): %v, want %q in it", tt.in, err, want)
			}
		}
		if text := err.Error(); strings.Contains(text, "\n") || len(text) > 300 {
			t.Errorf("ParsePrefix(%.40q): %.400q, want one short line", tt.in, text)
		}
	}
}

func TestParseAddr(t *testing.T) {
	for _, good := range []string{"192.0.2.1", "2001:db8::1"} {
		if got, err := ParseAddr(good); err != nil || got.String() != good {
			t.Errorf("ParseAddr(%q) = %v, %v", good, got, err)
		}
	}
	bad := []struct{ in, want string }{
		{"", "such as 192.0.2.1"},
		{"host", "such as 192.0.2.1"},
		{"192.0.2.0/24", "not a network"},
		{"::ffff:192.0.2.1", "IPv4 form, 192.0.2.1"},
		{"fe80::1%eth0", "no zone"},
		{strings.Repeat("1", 1<<16), "such as"},
	}
	for _, tt := range bad {
		_, err := ParseAddr(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 300 {
			t.Errorf("ParseAddr(%.40q): %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestFormatPrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1/32": "192.0.2.1", "192.0.2.0/24": "192.0.2.0/24",
		"2001:db8::1/128": "2001:db8::1", "2001:db8::/32": "2001:db8::/32",
	} {
		if got := FormatPrefix(netip.MustParsePrefix(in)); got != want {
			t.Errorf("FormatPrefix(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestPrefixSetOverlap(t *testing.T) {
	set := newPrefixSet([]netip.Prefix{
		netip.MustParsePrefix("198.51.100.7/24"), // as an interface shows it
		netip.MustParsePrefix("198.51.100.128/25"),
		netip.MustParsePrefix("::ffff:203.0.113.9/128"),
		netip.PrefixFrom(netip.MustParseAddr("fe80::1%eth0"), 128),
		netip.MustParsePrefix("2001:db8:1::/48"),
		{},
	})
	tests := []struct{ in, want string }{
		{"198.51.100.200/32", "198.51.100.0/24"},
		{"198.51.100.0/24", "198.51.100.0/24"},
		{"198.51.0.0/16", "198.51.100.0/24"},
		{"203.0.113.9/32", "203.0.113.9/32"},
		{"203.0.113.0/24", "203.0.113.9/32"},
		{"203.0.113.8/32", ""},
		{"192.0.2.0/24", ""},
		{"fe80::1/128", "fe80::1/128"},
		{"2001:db8::/32", "2001:db8:1::/48"},
		{"2001:db8:1:2::/64", "2001:db8:1::/48"},
		{"2001:db8:2::/48", ""},
		{"::/0", "2001:db8:1::/48"},
		{"0.0.0.0/0", "198.51.100.0/24"},
	}
	for _, tt := range tests {
		got, ok := set.overlap(netip.MustParsePrefix(tt.in))
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("overlap(%s) = %v, %v, want %q", tt.in, got, ok, tt.want)
		}
	}
}
