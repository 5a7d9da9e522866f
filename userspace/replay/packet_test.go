// SPDX-License-Identifier: MIT

package replay

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"

	packets "denmap/testenv/packet"
)

var (
	client6 = netip.MustParseAddr("2001:db8::7")
	server6 = netip.MustParseAddr("2001:db8:1::1")
)

// outcomesOf replays frames and returns what those to host met.
func outcomesOf(t *testing.T, host netip.Addr, frames ...[]byte) []Outcome {
	t.Helper()
	prog := &fakeProgram{}
	if _, err := Run(capture(t, layers.LinkTypeEthernet, frames...), prog, Options{Host: host}); err != nil {
		t.Fatal(err)
	}
	return prog.outcomes
}

// A capture length that keeps the fixed headers keeps the answers too.
func TestCutOffAnswersAreAnswers(t *testing.T) {
	syn := packets.Connect(client, server, 80)
	accepted := answer(syn, packets.SYN|packets.ACK).Bytes()
	for _, n := range []int{ethernetHeader + 40, ethernetHeader + 34, len(accepted)} {
		if got := outcomesOf(t, server, syn.Bytes()[:n], accepted[:n]); len(got) != 1 || got[0] != Open {
			t.Errorf("cut to %d bytes: %v, want open", n, got)
		}
	}
}

// What nmap -sO sends over IPv6 is a header and nothing else.
func TestEmptyPackets(t *testing.T) {
	if got := outcomesOf(t, server6, packets.TCP{Src: client6, Dst: server6}.IP(100, nil)); len(got) != 1 || got[0] != Closed {
		t.Errorf("outcomes %v, want closed", got)
	}
}

// Extension headers and first fragments do not hide ports; later fragments
// have none.
func TestPortsBehindOtherHeaders(t *testing.T) {
	syn := packets.Connect(client6, server6, 80)
	syn.Extensions = []packets.Extension{{Number: 0, Body: []byte{0, 1, 4, 0, 0, 0, 0}}, {Number: 44, Body: []byte{0, 0, 1, 0, 0, 0, 1}}}
	if p, ok := parse(syn.Bytes()); !ok || p.dst.port != 80 || !p.syn || p.dst.protocol != layers.IPProtocolTCP {
		t.Errorf("SYN behind two extension headers: %+v", p)
	}
	syn.Extensions[1].Body[1] = 8
	if p, ok := parse(syn.Bytes()); !ok || p.dst.port != 0 || p.syn {
		t.Errorf("later fragment: %+v", p)
	}
	first := packets.TCP{Src: client, Dst: server, SrcPort: 900, DstPort: 2049, Fragment: 0x2000}
	later := first
	later.Fragment = 185
	if p, ok := parse(first.UDP(make([]byte, 1472))); !ok || p.dst.port != 2049 {
		t.Errorf("first fragment: %+v", p)
	}
	if p, ok := parse(later.UDP(make([]byte, 400))); !ok || p.dst.port != 0 || p.dst.protocol != layers.IPProtocolUDP {
		t.Errorf("later fragment: %+v", p)
	}
}

// A sender's own capture holds segments whose length its card fills in.
func TestLengthsOfSegmentationOffload(t *testing.T) {
	data := packets.Connect(client, server, 80)
	data.Flags, data.Payload = packets.ACK, make([]byte, 5000)
	frame := data.Bytes()
	frame[ethernetHeader+2], frame[ethernetHeader+3] = 0, 0
	if p, ok := parse(frame); !ok || !p.payload || p.dst.port != 80 {
		t.Errorf("%+v, %v", p, ok)
	}
}

// Every cut of a packet is read as far as it goes.
func TestParseCuts(t *testing.T) {
	for _, frame := range [][]byte{packets.Connect(client, server, 80).Bytes(), packets.Connect(client6, server6, 80).Bytes(), unreachable(packets.Connect(client, server, 80))} {
		for n := range len(frame) {
			p, ok := parse(frame[:n])
			if port := p.dst.port; ok && port != 0 && port != 80 {
				t.Errorf("%d bytes: port %d", n, port)
			}
		}
	}
}
