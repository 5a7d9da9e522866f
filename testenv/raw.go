// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
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
		return packet.Finish(append(header, segment...))
	}
	header := make([]byte, 40)
	header[0] = 0x60
	binary.BigEndian.PutUint16(header[4:], uint16(len(segment)))
	header[6] = unix.IPPROTO_TCP
	header[7] = 64
	copy(header[8:], source)
	copy(header[24:], target)
	return packet.Finish(append(header, segment...))
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
		for _, ip := range packets {
			frame := append([]byte(nil), target[:]...)
			frame = append(frame, link.Attrs().HardwareAddr...)
			for _, tag := range tags {
				frame = binary.BigEndian.AppendUint16(frame, unix.ETH_P_8021Q)
				frame = binary.BigEndian.AppendUint16(frame, tag)
			}
			kind := uint16(unix.ETH_P_IP)
			if ip[0]>>4 == 6 {
				kind = unix.ETH_P_IPV6
			}
			frame = append(binary.BigEndian.AppendUint16(frame, kind), ip...)
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
