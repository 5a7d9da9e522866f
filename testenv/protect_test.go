// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"
)

// forge scans 40 ports of the victim with forged packets of source: SYNs
// of an ordinary kernel, Xmas and Null probes, from the attacker's link.
func forge(attacker, victim *Host, source, target netip.Addr) {
	var probes []Probe
	for i := range 40 {
		p := Probe{Source: source, Target: target, From: uint16(50000 + i), To: uint16(2000 + i), Flags: FlagSYN}
		switch i % 4 {
		case 2:
			p.Flags = FlagFIN | FlagPSH | FlagURG
		case 3:
			p.Flags = 0
		}
		probes = append(probes, p)
	}
	attacker.SendProbe(uplink, victim, uplink, probes...)
}

// talk reads one line after another from a connection that the victim
// serves, and returns how many came in the time.
func talk(conn io.ReadWriter, n int) error {
	for i := range n {
		if _, err := io.WriteString(conn, "ping\n"); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	return nil
}

// TestProtected forges scans from addresses that must not be lost.
func TestProtected(t *testing.T) {
	for _, version := range []int{4, 6} {
		for _, who := range []string{"gateway", "resolver", "utmp", "logind"} {
			t.Run(fmt.Sprintf("%s/ipv%d", who, version), func(t *testing.T) {
				t.Parallel()
				lab := New(t, Options{})
				victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
				to, from := victim.IPv4, client.IPv4
				if version == 6 {
					to, from = victim.IPv6, client.IPv6
				}
				victim.ServeHTTP(22, 80)
				if who == "logind" {
					victim.Attach() // sessions that begin later are seen too
				}
				switch who {
				case "gateway":
					network := netip.MustParsePrefix("0.0.0.0/0")
					if version == 6 {
						network = netip.MustParsePrefix("::/0")
					}
					if err := victim.routeVia(network, from); err != nil {
						t.Fatal(err)
					}
				case "resolver":
					victim.WriteFile("/etc/resolv.conf", "nameserver "+from.String()+"\n")
				case "utmp":
					victim.WriteFile("/run/utmp", string(utmpRecord(from)))
				case "logind":
					victim.WriteFile("/run/systemd/sessions/7", fmt.Sprintf(
						"UID=1000\nUSER=admin\nACTIVE=1\nSTATE=active\nREMOTE=1\nREMOTE_HOST=%v\nSERVICE=sshd\nTYPE=tty\nCLASS=user\nLEADER=1\n", from))
					time.Sleep(12 * time.Second)
				}
				if who != "logind" {
					victim.Attach()
				}
				forge(attacker, victim, from, to)
				line := victim.WaitLog(3*time.Second, "a line about the protected source", func(l LogLine) bool {
					return l.About(from) && l.Denmap.Score >= 8
				})
				t.Logf("%s", line.Raw)
				if line.Event.Action == "source-banned" && line.Denmap.Enforced || !bytes.Contains([]byte(line.Raw), []byte("protected")) {
					t.Errorf("not spared, or the log does not say why: %s", line.Raw)
				}
				for _, port := range []uint16{22, 80} {
					if !client.Reaches(to, port, time.Second) {
						t.Errorf("the protected address no longer reaches port %d", port)
					}
				}
				if r := victim.Denmap("check", from.String()); !bytes.Contains([]byte(r.Stdout), []byte("never banned automatically")) {
					t.Errorf("check does not say that it is protected: %v", r)
				}
				if r := victim.Denmap("lists", "add", "deny", from.String()); r.Code == 0 {
					t.Errorf("the protected address can be denied without --force: %v", r)
				}
				// Somebody else who does the same is banned.
				other := attacker.IPv4
				if version == 6 {
					other = attacker.IPv6
				}
				forge(attacker, victim, other, to)
				victim.WaitBan(other)
			})
		}
	}
}

// utmpRecord returns a user's login from a remote address, as sshd and
// login write it (utmp(5), 384 bytes).
func utmpRecord(from netip.Addr) []byte {
	r := make([]byte, 384)
	binary.NativeEndian.PutUint16(r[0:], 7) // USER_PROCESS
	binary.NativeEndian.PutUint32(r[4:], 1)
	copy(r[8:], "pts/0")
	copy(r[44:], "admin")
	copy(r[76:], from.String())
	copy(r[348:], from.AsSlice())
	return r
}

// TestRunningDownload forges a scan from the address of a client that is
// downloading, of one that holds a session open, and wants both to go on.
func TestRunningDownload(t *testing.T) {
	for _, version := range []int{4, 6} {
		for _, stamps := range []bool{true, false} {
			t.Run(fmt.Sprintf("ipv%d/timestamps=%v", version, stamps), func(t *testing.T) {
				t.Parallel()
				lab := New(t, Options{})
				v := newVisit(lab, version)
				if !stamps {
					if err := withoutTimestamps(v); err != nil {
						t.Fatal(err)
					}
				}
				download := v.victim.Listen(80)
				echo := v.victim.Listen(22)
				v.victim.Attach()
				down, idle := v.client.MustDial(v.to, 80), v.client.MustDial(v.to, 22)
				defer down.Close()
				defer idle.Close()
				src, err := download.Accept()
				if err != nil {
					t.Fatal(err)
				}
				session, err := echo.Accept()
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					io.Copy(session, session)
					session.Close()
				}()
				go func() {
					// Slow enough to outlast the scan.
					for range 200 {
						src.Write(make([]byte, 100_000))
						time.Sleep(10 * time.Millisecond)
					}
					src.Close()
				}()
				if _, err := io.ReadFull(down, make([]byte, 1_000_000)); err != nil {
					t.Fatal(err)
				}
				forge(lab.Host("attacker"), v.victim, v.from, v.to)
				ban := v.victim.WaitBan(v.from)
				if ban.Denmap.Grade != "blind" {
					t.Errorf("grade %q, want blind", ban.Denmap.Grade)
				}
				if n, err := io.Copy(io.Discard, down); err != nil || n != 19_000_000 {
					t.Errorf("the download ended after %d more bytes, %v; want 19000000", n, err)
				}
				if err := talk(idle, 10); err != nil {
					t.Errorf("the session is cut: %v", err)
				}
				// It ends in order, too.
				if err := idle.CloseWrite(); err != nil {
					t.Error(err)
				}
				idle.SetReadDeadline(time.Now().Add(2 * time.Second))
				if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("end of the session: %v, want EOF", err)
				}
			})
		}
	}
}
