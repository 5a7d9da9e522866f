// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"denmap/testenv/packet"
)

// Four interfaces take traffic at once, on every CPU: no packet is counted
// twice or not at all, and a source that scans through all of them gets the
// points of all its probes. Only first failures that meet in their filter
// overwrite each other: one stays, so a probe for each further CPU is lost.
func TestFourInterfacesAtOnce(t *testing.T) {
	const sources, probes, data, points = 50, 6, 20_000, 2
	k, first := protect(t)
	settings := defaults()
	settings.BanScore = 32 // points end at twice as many
	if err := k.Reconfigure(settings); err != nil {
		t.Fatal(err)
	}
	ifaces := []Interface{first}
	for i := 1; i < 4; i++ {
		name := fmt.Sprintf("eth%d", i)
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: fmt.Sprintf("peer%d", i)}); err != nil {
			t.Fatal(err)
		}
		ifaces = append(ifaces, Interface{Name: name})
	}
	for i := range ifaces {
		var err error
		if ifaces[i], err = k.Attach(ifaces[i].Name, AttachOptions{Hook: HookGeneric, Monitor: true}); err != nil {
			t.Fatal(err)
		}
	}
	segment := packet.Connect(scanner4, host4, 80)
	segment.Flags, segment.Options, segment.Payload = packet.ACK, packet.Timestamp, []byte("data")
	source := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }
	var wg sync.WaitGroup
	for i, iface := range ifaces {
		scan := k.attached[iface.Index].progs.scan
		wg.Go(func() {
			for n := range sources {
				for port := range probes {
					frame := packet.Connect(source(n), foreign4, uint16(1000+i*probes+port))
					frame.Flags = packet.FIN // needs no socket
					if _, err := scan.Run(&ebpf.RunOptions{Data: frame.Bytes()}); err != nil {
						t.Error(err)
						return
					}
				}
			}
			if _, _, err := scan.Benchmark(segment.Bytes(), data, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	counters, err := k.Counters()
	if err != nil {
		t.Fatal(err)
	}
	total := make(map[string]uint64)
	for _, c := range counters {
		if c.Verdict != "lost" {
			total[c.Interface] += c.Count
		}
		if c.Verdict == "pass" && c.Reason == "established" && c.Count != data {
			t.Errorf("%s counted %d data segments of %d", c.Interface, c.Count, data)
		}
	}
	for _, iface := range ifaces {
		if got := total[iface.Name]; got != data+sources*probes {
			t.Errorf("%s counted %d packets of %d", iface.Name, got, data+sources*probes)
		}
	}
	want := points * probes * len(ifaces)
	lost := 0
	for n := range sources {
		s, found, err := k.Source(source(n))
		if err != nil || !found {
			t.Fatalf("source %d: %v, %v", n, found, err)
		}
		lost = max(lost, want-s.Score)
		if s.Score > want || s.Score < want-points*(len(ifaces)-1) {
			t.Errorf("source %d has %d points, want %d, at most %d less", n, s.Score, want, points*(len(ifaces)-1))
		}
	}
	t.Logf("no source lacks more than %d of %d points", lost, want)
}
