// SPDX-License-Identifier: MIT

package loader

// departs lists where the program is known not to follow its design. Each
// is one branch of the model; setting it to false asks for the design. One
// that the program no longer needs goes away, with its branch.
var departs = struct {
	// An IPv6 chain whose 17th header is AH counts as a tunnel, not as a
	// chain without an end.
	endlessAH bool
	// The same port of another protocol on the same address is a sweep.
	sweepAnyProtocol bool
	// Port 0 is never swept.
	noSweepOfPort0 bool
	// The first failure's address is forgotten: evidence from it does not
	// make the second address a second one.
	firstAddressLost bool
	// A second address that first fails on the track that is not over its
	// threshold widens no ban, then or later.
	wideningLost bool
	// A ban of a prefix stops a protected address in it.
	prefixStopsProtected bool
	// An alert does not say that its source is protected.
	alertHidesProtected bool
	// Crafted packets of a protected source pass from its threshold on.
	craftedSpared bool
	// A ban that is prolonged ends its evidence when it would have ended.
	prolongedEvidenceEnds bool
	// An open UDP port is open on every address for 64 ticks.
	openUDPEverywhere bool
	// nmap -O's datagram counts on the track of TCP.
	osDatagramOnTCP bool
	// A SYN that waited in vain counts against the address, and with the
	// header, of the packet that settles it.
	waitingBlamesLatest bool
	// What a retransmission settles may cross the ban score and pass.
	retransmissionPasses bool
	// A bare ACK or FIN+ACK to a listener counts as a use of the port, and
	// as the beginning of a handshake.
	acksExpectProof bool
	// A crafted SYN fails even where a service has just gone.
	craftedToGone bool
	// First failures come back after 128 decays, for 1 or 2.
	firstComesBack bool
	// A first failure of 1 point on file is not added to a source that
	// enters with as many points as the alert score.
	filterBypassed bool
	// One UDP failure on file reaches a UDP alert score of 1 in silence.
	udpAlertSkipped bool
}{true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true}
