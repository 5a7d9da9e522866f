// SPDX-License-Identifier: MIT

package loader

// departs lists where the program is known not to follow its design. Each
// is one branch of the model; setting it to false asks for the design. One
// that the program no longer needs goes away, with its branch.
var departs = struct {
	// nmap -O's datagram and its segments to one port of one address are a
	// sweep.
	sweepAnyProtocol bool
	// Port 0 is never swept.
	noSweepOfPort0 bool
	// An open UDP port is open on every address for 64 ticks.
	openUDPEverywhere bool
	// nmap -O's datagram counts on the track of TCP.
	osDatagramOnTCP bool
	// A crafted SYN fails even where a service has just gone.
	craftedToGone bool
}{true, true, true, true, true}
