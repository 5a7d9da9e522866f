// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"denmap/bpf"
	"denmap/testenv/packet"
)

// TestUnbanOfAScanThatGoesOn: a ban that is in force afterwards was given for
// failures after the unban. One that outlives what is known of its source is
// the old ban, back without an event.
func TestUnbanOfAScanThatGoesOn(t *testing.T) {
	r := newRig(t, enforcing())
	r.advance(time.Duration(readClock().boot) - r.now)  // bans count by the kernel's clock
	if err := r.SetOutcome(OutcomeClosed); err != nil { // the scan runs outside of the namespace
		t.Fatal(err)
	}
	source := netip.PrefixFrom(scanner4, 32)
	key := prefixKey(source)
	var ban bpf.ScanBan
	var score bpf.ScanSource
	for round := range 100 {
		var stop atomic.Bool
		banned, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := range 1 << 16 {
				if stop.Load() {
					break
				}
				if _, err := r.Run(packet.Connect(scanner4, host4, uint16(n)).Bytes()); err != nil {
					ended <- err
					return
				}
				if n == 10 {
					close(banned)
				}
			}
			ended <- nil
		}()
		select {
		case <-banned:
		case err := <-ended:
			t.Fatal(err)
		}
		_, err := r.RemoveBan(source)
		stop.Store(true)
		if failed := <-ended; err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if r.maps["blind_bans"].Lookup(key, &ban) == nil && r.maps["sources"].Lookup(key, &score) != nil {
			t.Fatalf("round %d: banned, and nothing is known of the source", round)
		}
		if _, err := r.RemoveBan(source); err != nil {
			t.Fatal(err)
		}
	}
}
