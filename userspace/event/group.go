// SPDX-License-Identifier: MIT

package event

import "net/netip"

// Group is several sources that sent one host the very same probes at the
// same moment, as nmap -D makes its decoys do: one machine sent them all,
// so at most one of the addresses is the scanner's. A Group is not changed
// once it is sent.
type Group struct {
	ID      string         // of the scan of the first source
	Size    int            // sources so far, at least 2
	Sources []netip.Prefix // the first ones, in the order of their probes
	Proven  []netip.Prefix // those whose address is proven: none or one, or it is no decoy's work
}
