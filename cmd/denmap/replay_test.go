// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"denmap/testenv/packet"
)

// refusedConnects is a capture of connections to n closed ports.
func refusedConnects(t *testing.T, n uint16) string {
	t.Helper()
	host := netip.MustParseAddr("198.51.100.1")
	return refusals(t, n, func(i uint16) netip.AddrPort { return netip.AddrPortFrom(host, 1000+i) })
}

// refusals is a capture of n connections that are refused, one a second.
func refusals(t *testing.T, n uint16, to func(i uint16) netip.AddrPort) string {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriter(&buf)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		syn := packet.Connect(netip.MustParseAddr("203.0.113.7"), to(i).Addr(), to(i).Port())
		reset := packet.TCP{Src: syn.Dst, Dst: syn.Src, SrcPort: syn.DstPort, DstPort: syn.SrcPort, Flags: packet.RST | packet.ACK}
		for _, frame := range [][]byte{syn.Bytes(), reset.Bytes()} {
			info := gopacket.CaptureInfo{Timestamp: testNow.Add(time.Duration(i) * time.Second), CaptureLength: len(frame), Length: len(frame)}
			if err := w.WritePacket(info, frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	return buf.String()
}

// TestReplay runs a capture through the real program, from a file and from
// standard input.
func TestReplay(t *testing.T) {
	needRoot(t)
	c := newConsole(t)
	capture := refusedConnects(t, 9)
	c.write("scan.pcap", capture)
	c.write("short.pcap", capture[:len(capture)-5])
	const (
		table = "FIRST (UTC)          SOURCE       DESTINATION   WOULD  SCAN     TOOL            PORTS\n" +
			"2026-01-02 03:04:05  203.0.113.7  198.51.100.1  ban    connect  kernel-connect  1007,1006,1005,1004 +4\n"
		told = "denmap: 18 packets, 1 detection\n"
	)
	c.compare("replay FILE", c.run("replay", c.path("scan.pcap")), outcome{0, table, told})
	c.compare("replay -", c.runInput(capture, "replay", "-"), outcome{0, table, told})

	got := c.runInput(capture, "replay", "--json", "-")
	var doc replayDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || doc.Verdict != "ban" || doc.BanProbes != 8 || doc.Outcome != "seen" {
		t.Errorf("--json: %+v, %v", doc, err)
	}
	for name, got := range map[string]outcome{
		`"$DIR/short.pcap"`: c.run("replay", c.path("short.pcap")),
		"standard input":    c.runInput(capture[:len(capture)-5], "replay", "-"),
	} {
		want := "denmap: 17 packets, 1 detection\ndenmap: error: read " + name + ": capture is damaged at packet 18: "
		if got.code != 1 || got.stdout != table || !strings.HasPrefix(got.stderr, want) {
			t.Errorf("%s cut off: %+v, want the result so far and %q", name, got, want)
		}
	}
	for what, in := range map[string]string{"text": "no capture\n", "nothing": ""} {
		got := c.runInput(in, "replay", "-")
		if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, "denmap: error: read standard input: not a capture in pcap or pcapng, plain or gzip: ") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// TestReplayOfASweep: what no host of the network can see on its own.
func TestReplayOfASweep(t *testing.T) {
	needRoot(t)
	c := newConsole(t)
	capture := refusals(t, 20, func(i uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)}), 23)
	})
	const table = "FIRST (UTC)          SOURCE       DESTINATION    WOULD  SCAN           TOOL            PORTS\n" +
		"2026-01-02 03:04:05  203.0.113.7  198.51.100.17  ban    sweep,connect  kernel-connect  23,23,23,23 +13\n"
	c.compare("replay -", c.runInput(capture, "replay", "-"), outcome{0, table, "denmap: 40 packets, 1 detection\n"})
	c.compare("replay --host", c.runInput(capture, "replay", "--host", "198.51.100.3", "-"), outcome{0, "", "denmap: 40 packets, 0 detections\n"})
}
