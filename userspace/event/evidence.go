// SPDX-License-Identifier: MIT

package event

import "time"

// Evidence is why a source has the score it has: its latest counted probes,
// oldest first, and the headers of those that are recorded.
type Evidence struct {
	Source     Source
	Grade      Grade    // of the source's address, so far
	Handshakes []uint16 // ports that it completed new handshakes on since its first failure
	Probes     []Probe
	Packets    []Packet
}

// Probe is one counted probe. Flags are the TCP flags as on the wire (FIN
// is bit 0); Window and TTL are those of its header. The first probes of a
// source, and those of sources that were long silent, are remembered without
// them: Known is false, Time no later than they came, and Score without what
// was lost to time.
type Probe struct {
	Time   time.Time
	Port   uint16 // destination port, or the IP protocol's number for ip-protocol
	Kind   Kind
	Points int
	Score  int // after this probe
	Tool   Tool
	Known  bool
	Flags  uint8
	Window uint16
	TTL    uint8
}

// Packet is the beginning of a packet as it arrived, from its IP header on.
type Packet struct {
	Time   time.Time
	Length int // bytes of the whole packet
	Header []byte
}
