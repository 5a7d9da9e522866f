// SPDX-License-Identifier: MIT

package event

import "time"

// Service is a port of this host that a socket took packets on, for which
// other hosts may go on asking.
type Service struct {
	UDP  bool // else TCP
	Port uint16
	Seen time.Time // when last; the zero time: right now
}
