// SPDX-License-Identifier: MIT

package event

import "strings"

// Kind is one way of probing a host. The numeric values are those of
// enum scan_kind in bpf/scan.h; a loader test holds the two together.
type Kind uint8

// The kinds of scan, in the order of bpf/scan.h.
const (
	SYN Kind = iota
	Connect
	FIN
	Xmas
	Null
	ACK
	Maimon
	OddFlags
	UDP
	SCTP
	IPProtocol
	OSFingerprint
	Fragment
	Sweep
	kindCount
)

var kindNames = [kindCount]string{
	"syn", "connect", "fin", "xmas", "null", "ack", "maimon", "odd-flags",
	"udp", "sctp", "ip-protocol", "os-fingerprint", "fragment", "sweep",
}

var kindTitles = [kindCount]string{
	"SYN", "connect", "FIN", "Xmas", "Null", "ACK", "Maimon", "odd-flags",
	"UDP", "SCTP", "IP protocol", "OS fingerprint", "fragment", "sweep",
}

// String returns the name used in the event log, such as "odd-flags".
func (k Kind) String() string {
	if k >= kindCount {
		return "unknown"
	}
	return kindNames[k]
}

// ParseKind returns the kind with the given log name.
func ParseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// KindNames returns every log name, in the order of the constants.
func KindNames() []string { return append([]string(nil), kindNames[:]...) }

// Kinds is a set of scan kinds: bit k stands for Kind k.
type Kinds uint32

// UDPScored are the kinds that count for the UDP score, which has thresholds
// of its own; all others count for the score.
const UDPScored Kinds = 1<<UDP | 1<<Sweep

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// With returns the set with k added.
func (s Kinds) With(k Kind) Kinds { return s | 1<<k }

// Names returns the log names of the kinds in the set, in the order of
// the constants.
func (s Kinds) Names() []string {
	names := make([]string, 0, 2)
	for k := range kindCount {
		if s.Has(k) {
			names = append(names, kindNames[k])
		}
	}
	return names
}

// NamesFrom is Names with the main kind first: a scan is often announced by
// a few probes of other kinds.
func (s Kinds) NamesFrom(main Kind) []string {
	if !s.Has(main) {
		return s.Names()
	}
	return append([]string{kindNames[main]}, (s &^ (1 << main)).Names()...)
}

// Title names the set for people, the main kind first, such as "SYN" or
// "FIN, ACK and SYN".
func (s Kinds) Title(main Kind) string {
	var titles []string
	if s.Has(main) {
		titles = append(titles, kindTitles[main])
	}
	for k := range kindCount {
		if s.Has(k) && k != main {
			titles = append(titles, kindTitles[k])
		}
	}
	switch len(titles) {
	case 0:
		return "unknown"
	case 1:
		return titles[0]
	}
	last := len(titles) - 1
	return strings.Join(titles[:last], ", ") + " and " + titles[last]
}
