// SPDX-License-Identifier: MIT

package lists

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	addrHint   = "an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1"
	prefixHint = "an address or network, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"
)

// maxShown bounds how much of a rejected value an error quotes.
const maxShown = 64

// clip shortens a value from outside for an error message.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	n := maxShown
	for n > maxShown-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// ParseAddr reads one IPv4 or IPv6 address. Networks, zones and
// IPv4-mapped IPv6 addresses are errors; the error is one line that names
// the value and what was expected.
func ParseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		want := addrHint
		if strings.Contains(s, "/") {
			want = "one address, not a network"
		}
		return netip.Addr{}, fmt.Errorf("address %q: expected %s", clip(s), want)
	}
	if addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("address %q: expected no zone, only %s", clip(s), addr.WithZone(""))
	}
	if addr.Is4In6() {
		return netip.Addr{}, fmt.Errorf("address %q: expected the IPv4 form, %s", s, addr.Unmap())
	}
	return addr, nil
}

// ParsePrefix reads an address or a network in CIDR notation; an address
// becomes the network of that address alone. Host bits, zones and
// IPv4-mapped IPv6 addresses are errors; the error is one line that names
// the value, what was expected and, where that can be told, what was
// probably meant.
func ParsePrefix(s string) (netip.Prefix, error) {
	host, length, isNet := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("address %q: expected %s", clip(s), prefixHint)
	}
	if zone := addr.Zone(); zone != "" {
		bare := strings.Replace(s, "%"+zone, "", 1)
		return netip.Prefix{}, fmt.Errorf("address %q: expected no zone, only %s", clip(s), clip(bare))
	}
	bits := addr.BitLen()
	if isNet {
		if bits, err = prefixLength(length, addr.BitLen()); err != nil {
			return netip.Prefix{}, fmt.Errorf("network %q: %w", clip(s), err)
		}
	}
	if addr.Is4In6() {
		want := "an IPv4 or IPv6 network"
		if bits >= 96 {
			want = "the IPv4 form, " + FormatPrefix(netip.PrefixFrom(addr.Unmap(), bits-96).Masked())
		}
		return netip.Prefix{}, fmt.Errorf("address %q: expected %s", clip(s), want)
	}
	p := netip.PrefixFrom(addr, bits)
	if masked := p.Masked(); masked != p {
		return netip.Prefix{}, fmt.Errorf("network %q has host bits set: expected the network %s or the address %s",
			clip(s), masked, addr)
	}
	return p, nil
}

// prefixLength reads the number after the slash.
func prefixLength(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	// One spelling only: Atoi also takes "+8" and "08".
	if err != nil || n < 0 || n > most || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("expected a prefix length from 0 to %d after the slash", most)
	}
	return n, nil
}

// FormatPrefix writes p the way the list files do: one address without its
// length, a network in CIDR notation.
func FormatPrefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// WideError is a network where one source was expected; the deny list can
// keep it out.
type WideError struct{ text string }

func (e *WideError) Error() string { return e.text }

// ParseBan reads the source of a ban: one address, or the IPv6 network of
// ipv6Prefix bits that is scored as one. Errors: *WideError.
func ParseBan(s string, ipv6Prefix int) (netip.Prefix, error) {
	p, err := ParsePrefix(s)
	if err != nil {
		return p, err
	}
	expected := "one address"
	switch a := p.Addr(); {
	case a.IsMulticast() || a.IsUnspecified():
		return p, fmt.Errorf("ban %q: expected a source: nothing comes from a multicast or unspecified address", s)
	case p.IsSingleIP() || a.Is6() && p.Bits() == ipv6Prefix:
		return p, nil
	case a.Is6():
		expected = fmt.Sprintf("one address or a /%d", ipv6Prefix)
	}
	return p, &WideError{fmt.Sprintf("ban %q: expected %s", s, expected)}
}
