// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// mappedBits is what IPv4 prefixes grow by in their IPv6-mapped form.
const mappedBits = 96

// forever marks a ban without an end.
const forever = math.MaxUint64

// prefixKey returns the kernel's form of p.
func prefixKey(p netip.Prefix) bpf.ScanPrefix {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += mappedBits
	}
	return bpf.ScanPrefix{Len: uint32(bits), Addr: words(p.Addr())}
}

// addrKey returns the kernel's form of the whole address a. A link-local
// address is tied to the interface with the given index, if that is not 0.
func addrKey(a netip.Addr, ifindex int) bpf.ScanPrefix {
	key := prefixKey(netip.PrefixFrom(a, a.BitLen()))
	if a.IsLinkLocalUnicast() && a.Is6() {
		key.Addr[1] = hostToNet(uint32(ifindex))
	}
	return key
}

func words(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

func hostToNet(v uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return binary.NativeEndian.Uint32(b[:])
}

// addrFrom undoes words; IPv4-mapped addresses become IPv4.
func addrFrom(w [4]uint32) netip.Addr {
	var b [16]byte
	for i, v := range w {
		binary.NativeEndian.PutUint32(b[4*i:], v)
	}
	return netip.AddrFrom16(b).Unmap()
}

// prefixFrom undoes prefixKey and addrKey. The interface of a link-local
// address is dropped: netip.Prefix has no zone.
func prefixFrom(k bpf.ScanPrefix) netip.Prefix {
	if a := addrFrom(k.Addr); a.Is6() && a.IsLinkLocalUnicast() {
		k.Addr[1] = 0
	}
	a := addrFrom(k.Addr)
	bits := int(k.Len)
	if a.Is4() {
		bits -= mappedBits
	}
	return netip.PrefixFrom(a, bits)
}

// clock converts between the kernel's boot time and wall time. It is read
// once per use, so a stepped wall clock is followed.
type clock struct {
	wall time.Time
	boot uint64
}

func readClock() clock {
	var ts unix.Timespec
	// CLOCK_BOOTTIME exists since Linux 2.6.39 and cannot fail.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return clock{wall: time.Now(), boot: uint64(ts.Nano())}
}

// time returns the wall time of a boot time; the zero time for 0 and for
// forever.
func (c clock) time(bootNS uint64) time.Time {
	if bootNS == 0 || bootNS == forever {
		return time.Time{}
	}
	return c.wall.Add(time.Duration(int64(bootNS - c.boot)))
}

// bootNS is the reverse of time; the zero time stands for forever.
func (c clock) bootNS(t time.Time) uint64 {
	if t.IsZero() {
		return forever
	}
	boot := int64(c.boot) + int64(t.Sub(c.wall))
	return uint64(max(boot, 1))
}
