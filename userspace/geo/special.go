// SPDX-License-Identifier: MIT

package geo

import (
	"encoding/binary"
	"net/netip"
)

// use is one entry of the IANA special-purpose address registries.
type use struct {
	prefix netip.Prefix
	label  string // "" takes the prefix out of a wider one below: globally reachable
}

// specialUses follows RFC 6890 and the registries as updated since (RFC
// 8190, 9602, 9637, 9780), the multicast registries and RFC 3879; the
// first match counts, so narrow prefixes come before wide ones. Blocks
// that the registries call globally reachable (AS112, AMT) are left out.
var specialUses = []use{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.9/32"), ""},  // port control anycast
	{netip.MustParsePrefix("192.0.0.10/32"), ""}, // TURN anycast
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("233.252.0.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local translation"},
	{netip.MustParsePrefix("100::/64"), "discard"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy prefix"},
	{netip.MustParsePrefix("2001:1::1/128"), ""}, // port control anycast
	{netip.MustParsePrefix("2001:1::2/128"), ""}, // TURN anycast
	{netip.MustParsePrefix("2001:1::3/128"), ""}, // DNS-SD SRP anycast
	{netip.MustParsePrefix("2001:2::/48"), "benchmarking"},
	{netip.MustParsePrefix("2001:3::/32"), ""},     // AMT
	{netip.MustParsePrefix("2001:4:112::/48"), ""}, // AS112
	{netip.MustParsePrefix("2001:10::/28"), "ORCHID"},
	{netip.MustParsePrefix("2001:20::/28"), "ORCHID"},
	{netip.MustParsePrefix("2001:30::/28"), "drone remote ID"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing"},
	{netip.MustParsePrefix("fc00::/7"), "unique local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("2000::/3"), ""}, // global unicast
	{netip.MustParsePrefix("::/0"), "reserved"},
}

// specialUse names what addr is set aside for and the registered prefix,
// or returns an empty label for an address that can be anywhere.
func specialUse(addr netip.Addr) (label string, network netip.Prefix) {
	for _, u := range specialUses {
		if u.prefix.Contains(addr) {
			return u.label, u.prefix
		}
	}
	return "", netip.Prefix{}
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056
	teredo = netip.MustParsePrefix("2001::/32")    // RFC 4380
)

// locatable returns the address that says where a host is: the IPv4
// address inside a translated or tunnelled one, otherwise addr itself,
// unmapped and without zone. For Teredo that is the client's address,
// stored with its bits inverted.
func locatable(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("").Unmap()
	if !addr.Is6() {
		return addr
	}
	b := addr.As16()
	var v4 uint32
	switch {
	case nat64.Contains(addr):
		v4 = binary.BigEndian.Uint32(b[12:])
	case sixTo4.Contains(addr):
		v4 = binary.BigEndian.Uint32(b[2:])
	case teredo.Contains(addr):
		v4 = ^binary.BigEndian.Uint32(b[12:])
	default:
		return addr
	}
	var inner [4]byte
	binary.BigEndian.PutUint32(inner[:], v4)
	return netip.AddrFrom4(inner)
}
