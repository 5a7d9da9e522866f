// SPDX-License-Identifier: MIT

package store

import (
	"net/netip"

	"denmap/userspace/event"
)

// AddReasons gives bans, as the kernel knows them, the reasons that were
// noted with the saved bans of the same source and grade: the kernel keeps
// none. It changes bans in place.
func AddReasons(bans, saved []event.Ban) {
	type key struct {
		source netip.Prefix
		grade  event.Grade
	}
	reasons := make(map[key]string, len(saved))
	for _, b := range saved {
		reasons[key{b.Source, b.Grade}] = b.Reason
	}
	for i, b := range bans {
		bans[i].Reason = reasons[key{b.Source, b.Grade}]
	}
}
