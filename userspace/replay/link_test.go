// SPDX-License-Identifier: MIT

package replay

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/gopacket/gopacket/layers"

	packets "denmap/testenv/packet"
)

// What a provider's link puts between Ethernet and IP is taken off: a host
// behind it would not see it.
func TestWrappings(t *testing.T) {
	syn := packets.Connect(client, server, 80)
	plain := syn.Bytes()
	session := append([]byte{0x11, 0, 0, 1}, binary.BigEndian.AppendUint16(nil, uint16(len(plain)-ethernetHeader+2))...)
	pppoe := append(append(append(bytes.Clone(plain[:12]), 0x88, 0x64), session...), 0, 0x21)
	tagged := func(tags ...uint16) []byte { p := syn; p.VLANs = tags; return p.Bytes() }
	for name, frame := range map[string][]byte{
		"none": plain, "VLAN": tagged(0x8100), "QinQ": tagged(0x88a8, 0x8100), "old QinQ": tagged(0x9100, 0x8100),
		"three tags": tagged(0x88a8, 0x8100, 0x8100), "PPPoE": append(pppoe, plain[ethernetHeader:]...),
	} {
		if got := toEthernet(layers.LinkTypeEthernet, frame); !bytes.Equal(got, plain) {
			t.Errorf("%s: % x", name, got)
		}
	}
	for link, head := range map[layers.LinkType][]byte{layers.LinkTypePPP: {0, 0x21}, linkPPPHDLC: {0xff, 3, 0, 0x21}} {
		if got := toEthernet(link, append(head, plain[ethernetHeader:]...)); got == nil || !bytes.Equal(got[12:], plain[12:]) {
			t.Errorf("link type %v: % x", link, got)
		}
	}
	cooked := append(append(make([]byte, 14), 0x81, 0, 0, 5, 8, 0), plain[ethernetHeader:]...)
	if got := toEthernet(layers.LinkTypeLinuxSLL, cooked); got == nil || !bytes.Equal(got[12:], plain[12:]) {
		t.Errorf("VLAN in a cooked header: % x", got)
	}
}

// A datagram to everybody is no probe, also where only a cooked header says
// so; a broadcast address in front of what can be for one host only is the
// work of a program that did not know better.
func TestGroups(t *testing.T) {
	p := packets.TCP{Src: client, Dst: server, SrcPort: 138, DstPort: 138}
	datagram := p.UDP([]byte("here I am"))[ethernetHeader:]
	sll := append(append([]byte{0, 1}, make([]byte, 12)...), 8, 0)
	sll2 := append([]byte{8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, make([]byte, 9)...)
	for link, frame := range map[layers.LinkType][]byte{layers.LinkTypeLinuxSLL: append(sll, datagram...), linkSLL2: append(sll2, datagram...)} {
		if got := toEthernet(link, frame); got == nil || got[0]&groupBit == 0 {
			t.Errorf("link type %v, broadcast: % x", link, got)
		}
	}
	p.DstMAC = [6]byte{255, 255, 255, 255, 255, 255}
	syn := packets.Connect(client, server, 80)
	syn.DstMAC = p.DstMAC
	speaks := packets.Connect(server, client, 9)
	for name, row := range map[string]struct {
		frames [][]byte
		group  bool
	}{
		"datagram":                       {[][]byte{p.UDP(nil)}, true},
		"datagram to a host that speaks": {[][]byte{p.UDP(nil), speaks.Bytes()}, false},
		"SYN":                            {[][]byte{syn.Bytes()}, false},
	} {
		prog := &fakeProgram{}
		if _, err := Run(capture(t, layers.LinkTypeEthernet, row.frames...), prog, Options{Host: server}); err != nil {
			t.Fatal(err)
		}
		if len(prog.frames) == 0 || prog.frames[0][0]&groupBit != 0 != row.group {
			t.Errorf("%s: frames % x, want group %v", name, prog.frames, row.group)
		}
	}
}
