// SPDX-License-Identifier: MIT

package daemon

import (
	"fmt"

	"denmap/userspace/urgent"
)

// hurry has the kernel prefer the calling goroutine: each that an event
// passes through on its way to the log calls it first. They have little to
// do, while the history, the page and the collection of garbage may keep all
// processors busy in a flood, and so may the rest of the host.
func (t *teller) hurry() {
	if err := urgent.Thread(); err != nil {
		t.slow.Do(func() { t.say(fmt.Sprintf("%v; on a busy host lines may be late", err)) })
	}
}
