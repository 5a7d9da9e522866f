// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
)

// forgedSources is how many sources a flood has: DENMAP_FLOOD_SOURCES, or
// as many as a run of all tests has time for.
func forgedSources(t *testing.T) int {
	t.Helper()
	text := os.Getenv("DENMAP_FLOOD_SOURCES")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 || n > 100_000_000 {
		t.Fatalf("DENMAP_FLOOD_SOURCES: %q: expected 10 to 100000000", text)
	}
	return n
}

// forgedFlood is a SYN to each of the ports from each of some sources. So
// many do not fit into the documentation ranges; the packets never leave
// the lab.
type forgedFlood struct {
	first, sources int
	raw            bool // without options, as simple tools send them
	ports          []uint16
}

// flood returns how many packets the link took.
func (h *Host) flood(t T, victim *Host, f forgedFlood) (sent int) {
	t.Helper()
	link := h.Link(uplink)
	mac := victim.MAC(uplink)
	syn := packet.Connect(netip.MustParseAddr("203.0.113.1"), victim.IPv4, 0)
	syn.DstMAC, syn.SrcMAC = mac, h.MAC(uplink)
	if f.raw {
		syn.Options, syn.DF = nil, false
	}
	frame := syn.Bytes()
	err := h.Inside(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
			return err
		}
		to := &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Halen: 6}
		for i := range f.sources * len(f.ports) {
			binary.BigEndian.PutUint16(frame[36:], f.ports[i%len(f.ports)])
			binary.BigEndian.PutUint32(frame[26:], 0x0a000000+uint32(f.first+i/len(f.ports)))
			packet.Finish(frame[14:])
			for {
				err = unix.Sendto(fd, frame, 0, to)
				if err != unix.ENOBUFS {
					break
				}
			}
			if err != nil {
				return err
			}
			sent++
		}
		return nil
	})
	if err != nil {
		t.Fatalf("flood from %q after %d packets: %v", h.Name, sent, err)
	}
	return sent
}

// floodedBan is banned by hand before a flood, and afterwards still.
const floodedBan = "198.51.100.222"

// checkAfterFlood wants the attacker banned for its scan, the ban by hand
// kept, the client served and at most so many lines in the log.
func (s scene) checkAfterFlood(maxLines int) {
	s.t.Helper()
	s.victim.WaitBan(s.attacker.IPv4)
	if r := s.victim.MustDenmap("bans", "show", "--format", "plain"); !strings.Contains(r.Stdout, floodedBan) {
		s.t.Errorf("the manual ban is gone: %s", r.Stdout)
	}
	if n := len(s.victim.Log()); n > maxLines {
		s.t.Errorf("%d log lines", n)
	}
	if !s.client.Reaches(s.victim.IPv4, 80, time.Second) {
		s.t.Errorf("a client is no longer served")
	}
}

// TestFlood forges a flood of sources, of one packet each and then of a
// second port each, around a slow scan by one address.
func TestFlood(t *testing.T) {
	s := newScene(t, "forger")
	forger := s.Host("forger")
	daemon := s.victim.Attach()
	s.victim.MustDenmap("bans", "add", floodedBan, "--for", "1h", "--reason", "by hand")
	memory, _ := daemon.Memory()
	sources := forgedSources(t)

	scan := make(chan int)
	start := time.Now()
	go func() {
		refused := 0
		for i := range 60 {
			conn, err := s.attacker.Dial(s.victim.IPv4, uint16(4000+i))
			if err == nil {
				conn.Close()
			} else if netErr, ok := err.(net.Error); ok && netErr.Timeout() {
				break
			}
			refused++
			time.Sleep(time.Second)
		}
		scan <- refused
	}()
	first := forger.flood(t, s.victim, forgedFlood{sources: sources, ports: []uint16{5000}})
	onceAfter := time.Since(start)
	lines := len(s.victim.Log())
	second := forger.flood(t, s.victim, forgedFlood{sources: sources, ports: []uint16{5001}})
	twiceAfter := time.Since(start)
	reached := <-scan
	t.Logf("%d forged sources in %v, again %d by %v; the scan got %d answers; %d log lines after the first round, %d after the second",
		first, onceAfter, second, twiceAfter, reached, lines, len(s.victim.Log()))
	if reached > 12 {
		t.Errorf("the scan got %d answers, want it banned after 8", reached)
	}
	s.checkAfterFlood(50)
	after, _ := daemon.Memory()
	t.Logf("daemon's memory %d KiB before, %d KiB after\n%s", memory>>10, after>>10, s.victim.MustDenmap("status").Stdout)
}

// TestFloodOfPairs forges sources that send two different ports each, back
// to back and without options, which is enough for an alert, while one
// address scans a port a second.
func TestFloodOfPairs(t *testing.T) {
	s := newScene(t, "forger")
	forger := s.Host("forger")
	s.victim.Attach()
	s.victim.MustDenmap("bans", "add", floodedBan, "--for", "1h", "--reason", "by hand")
	start, forged, sources := time.Now(), 0, forgedSources(t)
	flooding, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for forged < sources || flooding.Err() == nil && forged < 10*sources {
			f := forgedFlood{first: forged, sources: sources / 10, raw: true, ports: []uint16{5001, 5002}}
			forged += forger.flood(t, s.victim, f) / 2
		}
	}()
	probes := 0
	for probes < 30 && len(s.victim.LogAbout(s.attacker.IPv4)) < 2 {
		probes++
		s.attacker.Reaches(s.victim.IPv4, uint16(4000+probes), time.Second)
		time.Sleep(time.Second) // the pace of the scan
	}
	stop()
	<-done
	t.Logf("%d forged sources in %v; %d log lines; %d probes of the scan", forged, time.Since(start), len(s.victim.Log()), probes)
	if probes > 12 {
		t.Errorf("%d probes of the scan, want it banned after 8", probes)
	}
	s.checkAfterFlood(200)
}
