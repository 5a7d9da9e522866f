// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// with returns a builder that changes what another one builds.
func with(build func(src, dst netip.Addr, port uint16) packet.TCP, change func(*packet.TCP)) func(src, dst netip.Addr, port uint16) packet.TCP {
	return func(src, dst netip.Addr, port uint16) packet.TCP {
		p := build(src, dst, port)
		change(&p)
		return p
	}
}

// masscanMSS is what masscan's SYNs have since version 1.3.9: read in its
// source (default_tcp_template of src/templ-pkt.c).
func masscanMSS(p *packet.TCP) { p.Window, p.Options = 1025, packet.MSS1460 }

// narrow is what naabu asks its kernel to send.
func narrow(p *packet.TCP) { p.Window, p.Options = 1024, packet.MSS1460 }

// TestTools sends the headers that scanner-signatures was measured on, and
// wants the tool named with no more confidence than it deserves: one packet
// may be chance.
func TestTools(t *testing.T) {
	zmap4 := func(options []byte) func(src, dst netip.Addr, port uint16) packet.TCP {
		return with(packet.Connect, func(p *packet.TCP) {
			p.DF, p.Window, p.Options = false, 65535, options
		})
	}
	bare := with(packet.Connect, func(p *packet.TCP) { p.DF, p.Options = false, nil })
	osProbe := with(packet.Nmap, func(p *packet.TCP) {
		p.Options = []byte{3, 3, 10, 1, 2, 4, 1, 9, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 4, 2}
		p.Window, p.Ack = 1, 7
	})
	normal := newRig(t, enforcing())
	low := enforcing()
	low.Settings.AlertScore, low.Settings.BanScore = 2, 4
	early := newRig(t, low)
	for _, row := range []struct {
		name  string
		src   netip.Addr
		build func(src, dst netip.Addr, port uint16) packet.TCP
		tool  event.Tool
		one   event.Confidence // after the alert, when one packet has spoken
		more  event.Confidence
	}{
		{"nmap", scanner4, packet.Nmap, event.ToolNmap, event.Medium, event.High},
		{"nmap", scanner6, packet.Nmap, event.ToolNmap, event.Medium, event.High},
		{"nmap -sA", scanner4, flags(packet.ACK), event.ToolNmap, event.Medium, event.High},
		{"nmap --scanflags SYNFIN", scanner4, with(packet.Nmap, func(p *packet.TCP) { p.Flags |= packet.FIN }), event.ToolNmap, event.Medium, event.High},
		{"nmap -O", scanner4, osProbe, event.ToolNmap, event.Medium, event.High},
		{"masscan", scanner4, packet.Masscan, event.ToolMasscan, event.Medium, event.High},
		{"masscan", scanner6, with(packet.Masscan, func(p *packet.TCP) { p.TTL = 255 }), event.ToolMasscan, event.Medium, event.High},
		{"masscan with an MSS", scanner4, with(packet.Masscan, masscanMSS), event.ToolMasscan, event.Medium, event.High},
		{"masscan --ttl 64", scanner4, with(packet.Masscan, func(p *packet.TCP) { masscanMSS(p); p.TTL = 64 }), event.ToolMasscan, event.Medium, event.High},
		{"masscan with an MSS", scanner6, with(packet.Masscan, masscanMSS), event.ToolMasscan, event.Medium, event.High},
		{"naabu", scanner4, with(packet.Connect, narrow), event.ToolRaw, event.Medium, event.Medium},
		{"naabu", scanner6, with(packet.Connect, narrow), event.ToolRaw, event.Medium, event.Medium},
		{"sx", scanner4, with(packet.Connect, func(p *packet.TCP) { p.Options = packet.SxSYN }), event.ToolRaw, event.Medium, event.Medium},
		{"zmap 2", scanner4, packet.Zmap2, event.ToolZmap, event.Medium, event.High},
		{"zmap 4 windows", scanner4, zmap4([]byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}), event.ToolZmap, event.Medium, event.High},
		{"zmap 4 linux", scanner4, zmap4(packet.LinuxSYN), event.ToolZmap, event.Medium, event.High},
		{"zmap 4 bsd", scanner4, zmap4([]byte{2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 4, 2, 0, 0}), event.ToolZmap, event.Medium, event.High},
		{"zmap 4 smallest", scanner4, zmap4(packet.MSS1460), event.ToolZmap, event.Medium, event.High},
		{"hping3", scanner4, packet.Hping3, event.ToolHping3, event.Medium, event.High},
		{"hping3 -S --tcp-timestamp", scanner4, with(packet.Hping3, func(p *packet.TCP) { p.Options = []byte{1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0} }), event.ToolHping3, event.Medium, event.High},
		{"hping3 -A -d 20", scanner4, with(packet.Hping3, func(p *packet.TCP) { p.Flags, p.Payload = packet.ACK, make([]byte, 20) }), event.ToolHping3, event.Medium, event.High},
		{"nmap -sA --data-length 20", scanner6, with(flags(packet.ACK), func(p *packet.TCP) { p.Payload = make([]byte, 20) }), event.ToolNmap, event.Medium, event.High},
		{"nmap --scanflags SYNACK", scanner4, with(packet.Nmap, func(p *packet.TCP) { p.Flags |= packet.ACK; p.Ack = 9 }), event.ToolNmap, event.Medium, event.High},
		{"hping3 -S -A", scanner4, with(packet.Hping3, func(p *packet.TCP) { p.Flags |= packet.ACK }), event.ToolHping3, event.Medium, event.High},
		{"hping3 -R", scanner4, with(packet.Hping3, func(p *packet.TCP) { p.Flags = packet.RST }), event.ToolHping3, event.Medium, event.High},
		{"nmap behind a link of 1492 bytes", scanner4, with(packet.Nmap, func(p *packet.TCP) { p.Options = []byte{2, 4, 0x05, 0xac} }), event.ToolNmap, event.Medium, event.High},
		{"hping3 -F", scanner4, with(packet.Hping3, func(p *packet.TCP) { p.Flags = packet.FIN }), event.ToolHping3, event.Medium, event.High},
		{"nping", scanner4, with(bare, func(p *packet.TCP) { p.Window = 1480 }), event.ToolNping, event.Medium, event.Medium},
		{"nping", scanner6, with(bare, func(p *packet.TCP) { p.Window = 1480 }), event.ToolNping, event.Medium, event.Medium},
		{"scapy", scanner4, with(bare, func(p *packet.TCP) { p.ID, p.Seq, p.Window = 1, 0, 8192 }), event.ToolScapy, event.Medium, event.Medium},
		{"scapy", scanner6, with(bare, func(p *packet.TCP) { p.SrcPort, p.Seq, p.Window = 20, 0, 8192 }), event.ToolScapy, event.Medium, event.Medium},
		{"scan6", scanner6, with(bare, func(p *packet.TCP) { p.Seq, p.Window = 0, 8192 }), event.ToolRaw, event.Medium, event.Medium},
		{"an MSS alone over IPv6", scanner6, with(packet.Connect, func(p *packet.TCP) { p.Window, p.Options = 8192, packet.MSS1460 }), event.ToolRaw, event.Medium, event.Medium},
		{"Mirai-like", scanner4, with(bare, func(p *packet.TCP) {
			b := p.Dst.As4()
			p.Seq = uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}), event.ToolMirai, event.Medium, event.High},
		{"a raw sender", scanner4, with(bare, func(p *packet.TCP) { p.Window = 4321 }), event.ToolRaw, event.Medium, event.Medium},
		{"a raw sender", scanner6, with(bare, func(p *packet.TCP) { p.Window = 4321 }), event.ToolRaw, event.Medium, event.Medium},
		{"Linux connect()", scanner4, packet.Connect, event.ToolKernel, event.Low, event.Low},
		{"Linux connect()", scanner6, packet.Connect, event.ToolKernel, event.Low, event.Low},
		{"Linux without timestamps and the like", scanner4, with(packet.Connect, func(p *packet.TCP) { p.Options = packet.MSS1460 }), event.ToolKernel, event.Low, event.Low},
		{"Windows", scanner4, with(packet.Connect, func(p *packet.TCP) {
			p.TTL, p.Window, p.Options = 128, 64240, []byte{2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2}
		}), event.ToolKernel, event.Low, event.Low},
	} {
		closed := host(row.src)
		var frames [][]byte
		for port := range uint16(8) {
			frames = append(frames, row.build(row.src, closed, 2000+port).Bytes())
		}
		if d := normal.last(frames...); d.Verdict != event.VerdictBan || d.Tool != row.tool || d.Confidence != row.more {
			t.Errorf("%s from %v, banned: %v, %v; want %v, %v", row.name, row.src, d.Tool, d.Confidence, row.tool, row.more)
		}
		// The first failure is noted without its header, so of two probes
		// one has spoken.
		if d := early.last(packet.Connect(row.src, closed, 1999).Bytes(), frames[0]); d.Tool != row.tool || d.Confidence != row.one {
			t.Errorf("%s from %v, one packet: %v, %v; want %v, %v", row.name, row.src, d.Tool, d.Confidence, row.tool, row.one)
		}
	}
}

// last runs frames on empty tables and returns the last event.
func (r *rig) last(frames ...[]byte) (d event.Detection) {
	r.t.Helper()
	if err := r.Forget(); err != nil {
		r.t.Fatal(err)
	}
	for _, frame := range frames {
		r.run(frame)
	}
	if events := r.drain(); len(events) > 0 {
		d = events[len(events)-1]
	}
	return d
}
