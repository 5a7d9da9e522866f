// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// FuzzBanLines reads what other tools feed to "bans add -": bans of single
// sources with an end and a reason of one line, or one line that says what
// is wrong.
func FuzzBanLines(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.1\n", "192.0.2.1 2h # sshd, 5 failures\n2001:db8::/64 1d\n", "\n# nothing\n", "192.0.2.0/24\n",
		"192.0.2.1 2h 3h\n", "192.0.2.1 -1s\n", "192.0.2.1 # \x1b[31m\n", "0.0.0.0\n", "224.0.0.1", "\xff\xfe1",
	} {
		f.Add(seed)
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		bans, err := readBanLines(strings.NewReader(text), event.Ban{Grade: event.Manual, Since: since, Until: since.Add(time.Minute)}, 64)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: error %q is not one printable line", text, err)
			}
			return
		}
		for _, b := range bans {
			single := b.Source.IsSingleIP() || b.Source.Addr().Is6() && b.Source.Bits() == 64
			if !single || !b.Until.After(since) || b.Grade != event.Manual || strings.ContainsAny(b.Reason, "\n\x1b") {
				t.Errorf("%q: %+v", text, b)
			}
		}
	})
}
