// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TCP flags of a Probe.
const (
	FlagFIN byte = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
)

// Probe is a TCP packet made by hand: for what no scanner sends, and to
// ask from any address whether a program lets a packet pass.
type Probe struct {
	Source, Target netip.Addr // of one IP version
	From, To       uint16     // ports
	Flags          byte
	Raw            bool // no TCP options, as no kernel's connect() sends it
}

// Packet returns the IP packet, checksums included.
func (p Probe) Packet() []byte {
	var options []byte
	if !p.Raw && p.Flags&FlagSYN != 0 {
		// What Linux puts into a SYN: MSS 1460, SACK, timestamps, window
		// scale 7.
		options = []byte{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0x10, 0, 0, 0, 0, 0, 1, 3, 3, 7}
	}
	segment := make([]byte, 20, 20+len(options))
	binary.BigEndian.PutUint16(segment[0:], p.From)
	binary.BigEndian.PutUint16(segment[2:], p.To)
	binary.BigEndian.PutUint32(segment[4:], 0x5eed0000|uint32(p.To))
	segment[12] = byte(20+len(options)) / 4 << 4
	segment[13] = p.Flags
	binary.BigEndian.PutUint16(segment[14:], 64240)
	segment = append(segment, options...)

	source, target := p.Source.AsSlice(), p.Target.AsSlice()
	sum := sumWords(0, source)
	sum = sumWords(sum, target)
	sum += unix.IPPROTO_TCP + uint32(len(segment))
	binary.BigEndian.PutUint16(segment[16:], fold(sumWords(sum, segment)))

	if p.Source.Is4() {
		header := make([]byte, 20)
		header[0] = 0x45
		binary.BigEndian.PutUint16(header[2:], uint16(20+len(segment)))
		binary.BigEndian.PutUint16(header[4:], 0x2a00|p.To&0xff) // id
		header[6] = 0x40                                         // do not fragment
		header[8] = 64
		header[9] = unix.IPPROTO_TCP
		copy(header[12:], source)
		copy(header[16:], target)
		binary.BigEndian.PutUint16(header[10:], fold(sumWords(0, header)))
		return append(header, segment...)
	}
	header := make([]byte, 40)
	header[0] = 0x60
	binary.BigEndian.PutUint16(header[4:], uint16(len(segment)))
	header[6] = unix.IPPROTO_TCP
	header[7] = 64
	copy(header[8:], source)
	copy(header[24:], target)
	return append(header, segment...)
}

// sumWords adds b to a ones' complement sum (RFC 1071); a last odd byte
// counts as the high half of a word.
func sumWords(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// SendFrame sends Ethernet frames from an interface of the host, with the
// VLAN tags in the given order, outermost first.
func (h *Host) SendFrame(iface string, target [6]byte, tags []uint16, packets ...[]byte) {
	h.t.Helper()
	link := h.Link(iface)
	err := h.Inside(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Halen: 6}
		for _, packet := range packets {
			frame := append([]byte(nil), target[:]...)
			frame = append(frame, link.Attrs().HardwareAddr...)
			for _, tag := range tags {
				frame = binary.BigEndian.AppendUint16(frame, unix.ETH_P_8021Q)
				frame = binary.BigEndian.AppendUint16(frame, tag)
			}
			kind := uint16(unix.ETH_P_IP)
			if packet[0]>>4 == 6 {
				kind = unix.ETH_P_IPV6
			}
			frame = append(binary.BigEndian.AppendUint16(frame, kind), packet...)
			if err := unix.Sendto(fd, frame, 0, to); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatalf("send frame from %q of %q: %v", iface, h.Name, err)
	}
}

// MAC returns the hardware address of an interface.
func (h *Host) MAC(iface string) [6]byte {
	h.t.Helper()
	return [6]byte(h.Link(iface).Attrs().HardwareAddr)
}

// SendProbe sends probes from the attached link of iface to a peer's
// interface, whatever the host's own addresses and routes are.
func (h *Host) SendProbe(iface string, peer *Host, peerIface string, probes ...Probe) {
	h.t.Helper()
	packets := make([][]byte, len(probes))
	for i, p := range probes {
		packets[i] = p.Packet()
	}
	h.SendFrame(iface, peer.MAC(peerIface), nil, packets...)
}
