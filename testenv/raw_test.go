// SPDX-License-Identifier: MIT

package testenv

import (
	"testing"
	"time"
)

// TestProbe shows that probes made by hand are good packets: a listener
// that nothing protects answers them, and tags are seen through.
func TestProbe(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.Serve(80)
	arrived, answered := victim.CountTCP(uplink), attacker.CountTCP(uplink)
	v4 := Probe{Source: attacker.IPv4, Target: victim.IPv4, From: 40000, To: 80, Flags: FlagSYN}
	v6 := Probe{Source: attacker.IPv6, Target: victim.IPv6, From: 40000, To: 80, Flags: FlagSYN}
	attacker.SendProbe(uplink, victim, uplink, v4, v6)
	victim.Eventually(10*time.Second, func() error {
		for _, answer := range []Through{answered.From(victim.IPv4), answered.From(victim.IPv6)} {
			if answer.Flags[FlagSYN|FlagACK] == 0 {
				return errNotYet("SYN+ACK")
			}
		}
		return nil
	})

	before := arrived.From(attacker.IPv4).Packets
	attacker.SendFrame(uplink, victim.MAC(uplink), []uint16{10}, v4.Packet())
	attacker.SendFrame(uplink, victim.MAC(uplink), []uint16{20, 10}, v4.Packet())
	victim.Eventually(10*time.Second, func() error {
		if arrived.From(attacker.IPv4).Packets < before+2 {
			return errNotYet("tagged frames")
		}
		return nil
	})
}
