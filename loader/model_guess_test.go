// SPDX-License-Identifier: MIT

package loader

import (
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// question is what decides whether a packet is a failed probe.
type question int

const (
	notProbe    question = iota
	backscatter          // an answer: never scored
	isListened           // fails if no socket listens
	isWanted             // fails if no socket at all fits
	isOurs               // fails at any address of this host
	settled              // nothing asked: no stack sends this
)

// guess is what a packet would count as.
type guess struct {
	question question
	kind     event.Kind
	points   int
	tool     event.Tool
	crafted  bool
}

// Option kinds in the orders that tell senders apart.
const (
	mssOnly     = "\x02"
	sxOptions   = "\x02\x04\x03\x00"
	nmapECN     = "\x03\x01\x02\x04\x01\x01"
	zmapWindows = "\x02\x01\x03\x01\x01\x04"
	zmapLinux   = "\x02\x04\x08\x01\x03"
	zmapBSD     = "\x02\x01\x03\x01\x01\x08\x04\x00"
)

// classify reads the transport header and guesses. reason is what becomes
// of the packet if it is no probe.
func classify(v *view) (g guess, reason string) {
	switch v.protocol {
	case protoTCP:
		if v.isTiny() {
			return cutOff(), ""
		}
		if !v.parseTCP() {
			return g, "pass bad-tcp"
		}
		if g = classifyTCP(v); g.question == notProbe {
			return g, "pass established"
		}
		return g, ""
	case protoICMP, protoICMPv6:
		return g, "pass icmp"
	case protoUDP:
		if !v.parseUDP() {
			return g, "pass bad-udp"
		}
		return classifyUDP(v), ""
	case protoSCTP:
		if !v.parseSCTP() {
			return g, "pass bad-sctp"
		}
		if v.chunk != 1 && v.chunk != 10 { // INIT, COOKIE-ECHO
			return g, "pass established"
		}
		return guess{question: isOurs, kind: event.SCTP, points: 1}, ""
	}
	if v.endless {
		return cutOff(), ""
	}
	switch v.protocol {
	case 2, 4, 41, 47, 50, 51, 88, 89, 103, 112, 115:
		return g, "pass tunnel"
	}
	return guess{question: isOurs, kind: event.IPProtocol, points: 1}, ""
}

func cutOff() guess {
	return guess{question: settled, kind: event.Fragment, points: 2, tool: event.ToolRaw, crafted: true}
}

func illegal(v *view, kind event.Kind) guess {
	return guess{question: settled, kind: kind, points: 2, tool: bareTool(v), crafted: true}
}

func classifyTCP(v *view) guess {
	const fin, syn, rst, psh, ack, urg = packet.FIN, packet.SYN, packet.RST, packet.PSH, packet.ACK, packet.URG
	flags := v.flags &^ (packet.ECE | packet.CWR)
	g := guess{}
	switch {
	case flags&(syn|ack|rst|fin) == syn:
		g = classifySYN(v)
	case flags&syn != 0 && flags&(fin|rst) != 0:
		g = illegal(v, event.OddFlags)
	case flags&(rst|syn) != 0 && v.isForgedAnswer():
		g = guess{question: isWanted, kind: event.OddFlags, points: 1, tool: bareTool(v)}
	case flags&rst != 0, flags&syn != 0:
		return guess{question: backscatter}
	case flags == 0:
		g = illegal(v, event.Null)
	case flags == fin:
		g = illegal(v, event.FIN)
	case flags == fin|psh|urg:
		g = illegal(v, event.Xmas)
	case flags&ack == 0:
		g = illegal(v, event.OddFlags)
	case flags&fin != 0 && v.isBare():
		g = guess{question: isWanted, kind: event.Maimon, points: 1, tool: bareTool(v)}
	case v.isBare():
		g = guess{question: isWanted, kind: event.ACK, points: 1, tool: bareTool(v)}
	default:
		return guess{}
	}
	if v.isOSProbe() {
		g.kind, g.tool = event.OSFingerprint, event.ToolNmap
	}
	return g
}

// isOSProbe: R4.
func (v *view) isOSProbe() bool { return v.oddStamp || v.kinds == nmapECN && v.window == 3 }

// bareTool: the header that nmap and hping3 give to scans that are no SYN
// scans.
func bareTool(v *view) event.Tool {
	switch {
	case v.kinds == mssOnly && v.header == 24 && v.mss == 1460 && v.window == 1024 && (!v.df || v.v6):
		return event.ToolNmap
	case v.header != 20 || v.df && !v.v6:
		return event.ToolUnknown
	case v.window == 1024 && (v.flags&packet.ACK == 0 || v.seq == 0):
		return event.ToolNmap
	case v.window == 512:
		return event.ToolHping3
	}
	return event.ToolRaw
}

// classifySYN: 2 points if no connect() can have sent it, 1 otherwise.
func classifySYN(v *view) guess {
	g := guess{question: isListened, kind: event.SYN, points: 2}
	if tool, ok := exactScanner(v); ok {
		g.tool, g.crafted = tool, true
		return g
	}
	if tool, ok := rawSYN(v); ok {
		g.tool = tool
		return g
	}
	g.points, g.tool = 1, event.ToolRaw
	cut := v.kinds == "" && v.header > 24
	if (v.mss != 0 || cut) && v.ack == 0 && (v.df && !v.v6 || v.kinds != mssOnly) {
		g.kind, g.tool = event.Connect, event.ToolKernel
	}
	return g
}

// exactScanner: the signatures that are dropped on sight.
func exactScanner(v *view) (event.Tool, bool) {
	bare := v.header == 20
	switch {
	case v.isNmapAlone() && v.ack == 0:
		return event.ToolNmap, true
	case v.kinds == mssOnly && v.header == 24 && v.mss == 1460 && v.window == 1025 && v.ack == 0 && (v.v6 && v.ttl > 64 || v.hasMasscanID()):
		return event.ToolMasscan, true
	case bare && v.window == 512 && v.ack != 0:
		return event.ToolHping3, true
	case v.v6 || !bare:
		return 0, false
	case v.id == 54321 && v.window == 65535:
		return event.ToolZmap, true
	case v.hasMasscanID():
		return event.ToolMasscan, true
	}
	return 0, false
}

// isBare: no options, and no data unless the rest is nmap's or hping3's.
func (v *view) isBare() bool {
	return v.header == 20 && (v.payload == 0 || v.seq == 0 && v.window == 1024 || v.window == 512 && !v.df)
}

// isNmapAlone: the header of every nmap packet with a SYN in it.
func (v *view) isNmapAlone() bool {
	return v.kinds == mssOnly && v.header == 24 && v.mss == 1460 && v.window == 1024 && v.nmapLink()
}

// isForgedAnswer: a reset or SYN+ACK in nmap's header, or hping3's.
func (v *view) isForgedAnswer() bool {
	if v.flags&packet.SYN != 0 && v.isNmapAlone() {
		return true
	}
	nmap := v.window == 1024 && v.nmapLink() && v.flags&packet.SYN == 0
	return v.header == 20 && (nmap || v.window == 512 && !v.df)
}

func (v *view) nmapLink() bool {
	if v.v6 {
		return v.ttl > 64 && v.flowLabel == 0
	}
	return v.ttl <= 64 && !v.df
}

func (v *view) hasMasscanID() bool {
	b := v.dst.As16()
	return !v.v6 && v.id == be.Uint16(b[14:])^v.dport^uint16(v.seq)
}

// rawSYN: R1 to R6 as far as they are not exact.
func rawSYN(v *view) (event.Tool, bool) {
	bare := v.header == 20
	switch {
	case v.isOSProbe():
		return event.ToolNmap, true
	case v.kinds == mssOnly && v.mss == 1460 && !v.df && v.ttl <= 64 && v.ack == 0 && v.window > 0 && v.window%1024 == 0 && v.window <= 4096:
		return event.ToolNmap, true
	case v.kinds == mssOnly && v.mss < 1460 && v.window == 1024 && v.ack == 0 && !v.v6 && v.nmapLink():
		return event.ToolNmap, true
	case !v.v6 && v.window == 65535 && !v.df && v.ttl <= 64 &&
		(v.kinds == zmapWindows || v.kinds == zmapLinux || v.kinds == zmapBSD || v.kinds == mssOnly):
		return event.ToolZmap, true
	case v.kinds == mssOnly && v.window < v.mss && v.ttl <= 64, v.kinds == sxOptions && v.window == 64240 && v.ttl <= 64:
		return event.ToolRaw, true
	case bare && (v.v6 || !v.df):
		return v.bareFamily(), true
	case v.ack != 0 && v.window == 512 && v.mss == 0:
		return event.ToolHping3, true
	case v.ack != 0, v.payload > 0 && !v.hasTFO():
		return event.ToolRaw, true
	}
	return 0, false
}

func (v *view) bareFamily() event.Tool {
	dst := v.dst.As16()
	switch {
	case !v.v6 && v.seq == be.Uint32(dst[12:]):
		return event.ToolMirai
	case v.window == 1480:
		return event.ToolNping
	case v.window == 8192 && v.seq == 0 && (v.v6 && v.sport == 20 || !v.v6 && v.id == 1):
		return event.ToolScapy
	case v.v6 && v.window == 1024 && v.ttl > 64:
		return event.ToolMasscan
	}
	return event.ToolRaw
}

// hasTFO: fast open is kind 34; the program takes any kind above 13 for it.
func (v *view) hasTFO() bool {
	for i := range len(v.kinds) {
		if v.kinds[i] == 14 {
			return true
		}
	}
	return false
}

func classifyUDP(v *view) guess {
	g := guess{question: isListened, kind: event.UDP, points: 1}
	if v.v6 {
		return g
	}
	if v.id == 4162 && v.payload == 300 {
		g.kind, g.tool = event.OSFingerprint, event.ToolNmap
	}
	if v.id == 54321 {
		g.tool = event.ToolZmap
	}
	return g
}
