// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"denmap/testenv/packet"
)

// busyClient opens eight connections at once to eight ports, fifty times.
func busyClient(client *Host, addr netip.Addr, first uint16) error {
	for round := range 50 {
		err := together(8, func(i int) error {
			conn, err := client.Dial(addr, first+uint16(i))
			if err != nil {
				return err
			}
			return conn.Close()
		})
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

func serviceRange(first uint16, n int) (ports []uint16) {
	for i := range n {
		ports = append(ports, first+uint16(i))
	}
	return ports
}

// wantForeign runs the busy client and then scans closed ports of the same
// target by full connections.
func wantForeign(t *testing.T, lab *Lab, version int, addr netip.Addr, scans ...[]string) {
	t.Helper()
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	v := newVisit(lab, version)
	q := newQuiet(v)
	if err := busyClient(client, addr, 7001); err != nil {
		t.Error(err)
	}
	q.check(t, "a busy client")

	args, source := []string{"-n", "-Pn", "--host-timeout", "30s"}, attacker.IPv4
	if version == 6 {
		args, source = append(args, "-6"), attacker.IPv6
	}
	counter := victim.CountTCP(uplink)
	for _, scan := range scans {
		logged := len(victim.Log())
		attacker.MustTool("nmap", append(append(args, scan...), addr.String())...)
		var ban *LogLine
		err := until(t.Context(), 3*time.Second, func() error {
			for _, line := range victim.Log()[logged:] {
				if line.Event.Action == "source-banned" && line.About(source) {
					ban = &line
					return nil
				}
			}
			return errNotYet("ban")
		})
		if err != nil {
			t.Errorf("%v: %v; got through: %v", scan, err, counter.From(source).Closed())
			continue
		}
		t.Logf("%v: %q by %q after %d ports, score %d; through: %d ports", scan, ban.Denmap.Scan, ban.Denmap.Tool.Name,
			ban.Denmap.Ports.Distinct, ban.Denmap.Score, len(counter.From(source).Ports))
		victim.MustDenmap("unban", "--all")
		// Until the daemon has seen that, a new ban is part of the old scan.
		victim.WaitLog(10*time.Second, "end of the scan", func(l LogLine) bool {
			return l.Event.Action == "scan-ended" && l.Event.ID == ban.Event.ID
		})
	}
	if !client.Reaches(addr, 7001, 3*time.Second) {
		t.Error("the client is cut off")
	}
}

// TestPublished protects a host that publishes ports of another host by
// address translation, as container engines do without a proxy.
func TestPublished(t *testing.T) {
	for _, version := range []int{4, 6} {
		for _, order := range []string{"rules first", "rules later"} {
			t.Run(fmt.Sprintf("%s/ipv%d", order, version), func(t *testing.T) {
				t.Parallel()
				lab := New(t, Options{})
				victim := lab.Host("victim")
				inner := lab.behind(victim)
				inner.Serve(serviceRange(7001, 8)...)
				victim.Serve(80)
				if order == "rules later" {
					victim.Attach()
				}
				if err := victim.publish(7001, 7200, inner); err != nil {
					t.Fatal(err)
				}
				if order == "rules first" {
					victim.Attach()
				} else {
					waitTranslation(t, lab.Host("attacker"), victim)
				}
				to := victim.IPv4
				if version == 6 {
					to = victim.IPv6
				}
				wantForeign(t, lab, version, to, []string{"-sT", "-p", "7101-7150"}, []string{"-sS", "-p", "7101-7150"})
			})
		}
	}
}

// waitTranslation waits until the daemon has seen that ports are published:
// a SYN to a closed port waits for an answer then. Each of those comes from
// a network of its own.
func waitTranslation(t *testing.T, attacker, victim *Host) {
	t.Helper()
	source := netip.MustParsePrefix("2001:db8:100::/40").Addr().As16()
	err := until(t.Context(), slowness()*30*time.Second, func() error {
		source[7]++
		if source[7] == 0 {
			source[6]++
		}
		syn := packet.Connect(netip.AddrFrom16(source), victim.IPv6, 7200)
		syn.Raw = true
		attacker.SendFrame(uplink, victim.MAC(uplink), nil, packet.Finish(syn.Bytes()))
		var status struct {
			Counters []struct {
				Reason  string
				Packets int
			}
		}
		if err := json.Unmarshal([]byte(victim.MustDenmap("status", "--json").Stdout), &status); err != nil {
			return err
		}
		for _, c := range status.Counters {
			if c.Reason == "waiting" && c.Packets > 0 {
				return nil
			}
		}
		return errNotYet("SYN that waits")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMadeUpAnswers scans published ports and goes on with each connection
// as if it had been accepted. What conntrack knows gives that away, once it
// is known to look at this address at all. Where connection tracking is a
// module, the rules load it: when they come later, it does too.
func TestMadeUpAnswers(t *testing.T) {
	t.Run("rules first", func(t *testing.T) { madeUpAnswers(t, false) })
	t.Run("rules later", func(t *testing.T) { madeUpAnswers(t, true) })
}

func madeUpAnswers(t *testing.T, later bool) {
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	inner := lab.behind(victim)
	inner.Serve(serviceRange(7001, 8)...)
	if later {
		victim.Attach()
	}
	if err := victim.publish(7001, 7200, inner); err != nil {
		t.Fatal(err)
	}
	if later {
		waitTranslation(t, attacker, victim)
	} else {
		victim.Attach()
	}
	if err := busyClient(client, victim.IPv4, 7001); err != nil {
		t.Error(err)
	}
	for i := range 12 {
		syn := packet.Connect(attacker.IPv4, victim.IPv4, uint16(7101+i))
		syn.Raw, syn.SrcPort = true, uint16(41000+i)
		ack := syn
		ack.Flags, ack.Options, ack.Seq, ack.Ack = packet.ACK, packet.Timestamp, syn.Seq+1, 1
		attacker.SendFrame(uplink, victim.MAC(uplink), nil, packet.Finish(syn.Bytes()))
		time.Sleep(20 * time.Millisecond) // the refusal comes first
		attacker.SendFrame(uplink, victim.MAC(uplink), nil, packet.Finish(ack.Bytes()))
	}
	victim.WaitBan(attacker.IPv4)
	if !client.Reaches(victim.IPv4, 7002, time.Second) {
		t.Error("a client is no longer served")
	}
}

// TestRouted protects a router with listeners of its own on the ports that
// are closed on the host behind it.
func TestRouted(t *testing.T) {
	for _, version := range []int{4, 6} {
		t.Run(fmt.Sprintf("ipv%d", version), func(t *testing.T) {
			t.Parallel()
			lab := New(t, Options{})
			victim := lab.Host("victim")
			inner := lab.behind(victim)
			inner.Serve(serviceRange(7001, 8)...)
			victim.Serve(serviceRange(7101, 50)...)
			for _, h := range []*Host{lab.Host("attacker"), lab.Host("client")} {
				err := errors.Join(h.routeVia(behind4, victim.IPv4), h.routeVia(behind6, victim.IPv6))
				if err != nil {
					t.Fatal(err)
				}
			}
			victim.Attach()
			to := inner.IPv4
			if version == 6 {
				to = inner.IPv6
			}
			wantForeign(t, lab, version, to, []string{"-sT", "-p", "7101-7150"}, []string{"-sS", "-p", "7101-7150"},
				[]string{"-sT", "-T2", "-p", "7101-7120"})
		})
	}
}

// TestBridged protects a host on whose bridge another one sits.
func TestBridged(t *testing.T) {
	for _, version := range []int{4, 6} {
		t.Run(fmt.Sprintf("ipv%d", version), func(t *testing.T) {
			t.Parallel()
			lab := New(t, Options{Hosts: []string{"victim", "attacker", "client"}})
			victim := lab.Host("victim")
			inner, to, in6 := lab.Bridge(victim)
			inner.Serve(serviceRange(7001, 8)...)
			victim.Serve(serviceRange(7101, 50)...)
			victim.Attach()
			if version == 6 {
				to = in6
			}
			wantForeign(t, lab, version, to, []string{"-sT", "-p", "7101-7150"}, []string{"-sS", "-p", "7101-7150"})
		})
	}
}
