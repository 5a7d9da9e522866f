// SPDX-License-Identifier: MIT

// Package packet builds frames for tests and benchmarks, byte by byte, so
// that they can be as wrong as an attacker's.
package packet

import (
	"encoding/binary"
	"net/netip"
)

// TCP flags as on the wire (RFC 9293 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Extension is one IPv6 extension header: its number and its body behind
// the next-header byte. The caller keeps the length field right, or wrong.
type Extension struct {
	Number byte
	Body   []byte
}

// TCP describes a frame with a TCP segment. Zero fields are zero on the
// wire, but for those with a default.
type TCP struct {
	DstMAC, SrcMAC [6]byte
	VLANs          []uint16 // tag protocols, outermost first: 0x88a8, 0x8100
	Raw            bool     // no Ethernet header
	Src, Dst       netip.Addr
	TTL            byte // default 64
	DF             bool
	ID             uint16
	FlowLabel      uint32
	Fragment       uint16 // the IPv4 flags-and-offset field but for DF
	IPOptions      []byte // multiple of 4
	Extensions     []Extension
	SrcPort        uint16
	DstPort        uint16
	Seq, Ack       uint32
	Flags          byte
	Window         uint16
	Options        []byte // multiple of 4
	Payload        []byte
}

// Bytes returns the frame. Checksums are zero: the program does not read
// them, and virtual links leave them unfinished.
func (p TCP) Bytes() []byte {
	return p.frame(6, append(p.header(), p.Payload...))
}

// IP returns a frame of any other protocol with the given payload.
func (p TCP) IP(protocol byte, payload []byte) []byte { return p.frame(protocol, payload) }

func (p TCP) header() []byte {
	h := make([]byte, 20, 60)
	binary.BigEndian.PutUint16(h[0:], p.SrcPort)
	binary.BigEndian.PutUint16(h[2:], p.DstPort)
	binary.BigEndian.PutUint32(h[4:], p.Seq)
	binary.BigEndian.PutUint32(h[8:], p.Ack)
	h[12] = byte(20+len(p.Options)) / 4 << 4
	h[13] = p.Flags
	binary.BigEndian.PutUint16(h[14:], p.Window)
	return append(h, p.Options...)
}

func (p TCP) frame(protocol byte, payload []byte) []byte {
	ip, etherType := p.ipv4(protocol, payload), uint16(0x0800)
	if p.Src.Is6() {
		ip, etherType = p.ipv6(protocol, payload), 0x86dd
	}
	if p.Raw {
		return ip
	}
	frame := append(append([]byte{}, p.DstMAC[:]...), p.SrcMAC[:]...)
	for _, tag := range p.VLANs {
		frame = binary.BigEndian.AppendUint16(frame, tag)
		frame = append(frame, 0, 5)
	}
	return append(binary.BigEndian.AppendUint16(frame, etherType), ip...)
}

func (p TCP) ttl() byte {
	if p.TTL == 0 {
		return 64
	}
	return p.TTL
}

func (p TCP) ipv4(protocol byte, payload []byte) []byte {
	h := make([]byte, 20, 60)
	header := 20 + len(p.IPOptions)
	h[0] = 4<<4 | byte(header/4)
	binary.BigEndian.PutUint16(h[2:], uint16(header+len(payload)))
	binary.BigEndian.PutUint16(h[4:], p.ID)
	frag := p.Fragment
	if p.DF {
		frag |= 0x4000
	}
	binary.BigEndian.PutUint16(h[6:], frag)
	h[8], h[9] = p.ttl(), protocol
	if p.Src.Is4() {
		copy(h[12:], p.Src.AsSlice())
		copy(h[16:], p.Dst.AsSlice())
	}
	return append(append(h, p.IPOptions...), payload...)
}

func (p TCP) ipv6(protocol byte, payload []byte) []byte {
	h := make([]byte, 40, 80)
	binary.BigEndian.PutUint32(h, 6<<28|p.FlowLabel&0xfffff)
	h[7] = p.ttl()
	copy(h[8:], p.Src.AsSlice())
	copy(h[24:], p.Dst.AsSlice())
	next := &h[6]
	var chain []byte
	for i, e := range p.Extensions {
		*next = e.Number
		chain = append(chain, 0)
		chain = append(chain, e.Body...)
		if i+1 < len(p.Extensions) {
			chain[len(chain)-len(e.Body)-1] = p.Extensions[i+1].Number
		} else {
			chain[len(chain)-len(e.Body)-1] = protocol
		}
	}
	if len(p.Extensions) == 0 {
		*next = protocol
	} else {
		*next = p.Extensions[0].Number
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(chain)+len(payload)))
	return append(append(h, chain...), payload...)
}

// UDP returns a datagram.
func (p TCP) UDP(payload []byte) []byte {
	h := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(h[0:], p.SrcPort)
	binary.BigEndian.PutUint16(h[2:], p.DstPort)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return p.frame(17, append(h, payload...))
}

// SCTP returns a packet with one chunk of the given type (RFC 9260 3).
func (p TCP) SCTP(chunk byte) []byte {
	h := make([]byte, 32)
	binary.BigEndian.PutUint16(h[0:], p.SrcPort)
	binary.BigEndian.PutUint16(h[2:], p.DstPort)
	h[12], h[15] = chunk, 20
	return p.frame(132, h)
}

// Options in the orders that stacks and scanners send.
var (
	MSS1460   = []byte{2, 4, 0x05, 0xb4}
	SxSYN     = []byte{2, 4, 0x05, 0xb4, 4, 2, 3, 3, 7, 0, 0, 0} // of the scanner sx
	LinuxSYN  = []byte{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7}
	Timestamp = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1}
)

// Connect returns the SYN of a Linux connect() (scanner-signatures, K1).
func Connect(src, dst netip.Addr, port uint16) TCP {
	return TCP{Src: src, Dst: dst, DF: true, FlowLabel: 0x1234, SrcPort: 40000, DstPort: port,
		Seq: 0x01020304, Flags: SYN, Window: 64240, Options: LinuxSYN}
}

// Nmap returns the SYN of nmap -sS.
func Nmap(src, dst netip.Addr, port uint16) TCP {
	p := TCP{Src: src, Dst: dst, TTL: 45, ID: 0x4711, SrcPort: 50000, DstPort: port,
		Seq: 0x0a0b0c0d, Flags: SYN, Window: 1024, Options: MSS1460}
	if src.Is6() {
		p.TTL = 255
	}
	return p
}

// NmapFlags returns a probe of nmap -sF, -sX, -sN, -sA or -sM.
func NmapFlags(src, dst netip.Addr, port uint16, flags byte) TCP {
	p := Nmap(src, dst, port)
	p.Flags, p.Options = flags, nil
	if flags&ACK != 0 {
		p.Ack, p.Seq = p.Seq, 0
	}
	return p
}

// Masscan returns the SYN of masscan over IPv4.
func Masscan(src, dst netip.Addr, port uint16) TCP {
	p := TCP{Src: src, Dst: dst, TTL: 255, SrcPort: 61000, DstPort: port, Seq: 0x5eed1234, Flags: SYN, Window: 1024}
	if dst.Is4() {
		d := dst.As4()
		p.ID = binary.BigEndian.Uint16(d[2:]) ^ port ^ uint16(p.Seq)
	}
	return p
}

// Hping3 returns the SYN of hping3 -S.
func Hping3(src, dst netip.Addr, port uint16) TCP {
	return TCP{Src: src, Dst: dst, ID: 99, SrcPort: 2000, DstPort: port, Seq: 1, Ack: 77, Flags: SYN, Window: 512}
}

// Zmap2 returns the SYN of zmap 2.
func Zmap2(src, dst netip.Addr, port uint16) TCP {
	return TCP{Src: src, Dst: dst, TTL: 255, ID: 54321, SrcPort: 40000, DstPort: port, Seq: 3, Flags: SYN, Window: 65535}
}
