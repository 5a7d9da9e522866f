// SPDX-License-Identifier: MIT

package lists

import "net/netip"

// Reason is why an import left out a line of the feed.
type Reason uint8

// The reasons. Those up to Reserved do not hold with ImportOptions.Force.
const (
	TooWide   Reason = iota // a default route, or shorter than /8 (IPv4) or /19 (IPv6)
	Own                     // touches an address of this host
	Protected               // touches an address that must not be lost
	Loopback                // 127.0.0.0/8, ::1
	LinkLocal               // 169.254.0.0/16, fe80::/10
	Multicast               // 224.0.0.0/4, ff00::/8
	Private                 // RFC 1918, RFC 4193, and RFC 6598 (carrier-grade NAT and overlay networks)
	Reserved                // 0.0.0.0/8, 240.0.0.0/4 with broadcast, ::
	Listed                  // on the list already, for as long
	Covered                 // lies in an entry of the list or the feed that lasts as long
	Repeated                // in the feed more than once
	Invalid                 // no address
	reasonCount
)

var reasonNames = [reasonCount]string{
	"default route or too wide", "own", "protected", "loopback", "link-local", "multicast",
	"private", "reserved", "already listed", "covered by a wider entry", "repeated", "invalid",
}

// String returns the reason as a phrase for people, such as "already
// listed".
func (r Reason) String() string {
	if r >= reasonCount {
		return "unknown"
	}
	return reasonNames[r]
}

// Reasons returns every reason, in the order of the constants.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Shortest prefixes that an import takes. No registry hands out more than
// this to one network, so a feed with a wider one is broken or hostile.
const (
	widestIPv4 = 8
	widestIPv6 = 19
)

// filter knows which networks do not belong on an imported list.
type filter struct {
	sets [reasonCount]prefixSet
}

func newFilter(own, protected []netip.Prefix) *filter {
	parse := func(names ...string) prefixSet {
		set := make([]netip.Prefix, len(names))
		for i, name := range names {
			set[i] = netip.MustParsePrefix(name)
		}
		return newPrefixSet(set)
	}
	f := &filter{}
	f.sets[Own] = newPrefixSet(own)
	f.sets[Protected] = newPrefixSet(protected)
	f.sets[Loopback] = parse("127.0.0.0/8", "::1/128")
	f.sets[LinkLocal] = parse("169.254.0.0/16", "fe80::/10")
	f.sets[Multicast] = parse("224.0.0.0/4", "ff00::/8")
	f.sets[Private] = parse("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
	f.sets[Reserved] = parse("0.0.0.0/8", "240.0.0.0/4", "::/128")
	return f
}

// skip returns why p does not belong on a list. A network does not belong
// as soon as it shares one address with such a range.
func (f *filter) skip(p netip.Prefix) (Reason, bool) {
	widest := widestIPv6
	if p.Addr().Is4() {
		widest = widestIPv4
	}
	if p.Bits() < widest {
		return TooWide, true
	}
	for r := Own; r <= Reserved; r++ {
		if _, ok := f.sets[r].overlap(p); ok {
			return r, true
		}
	}
	return 0, false
}
