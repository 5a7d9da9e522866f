// SPDX-License-Identifier: MIT

package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	packets "denmap/testenv/packet"
	"denmap/userspace/event"
)

var (
	client = netip.MustParseAddr("203.0.113.7")
	server = netip.MustParseAddr("198.51.100.1")
	start  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// fakeProgram notes what it is told and reports a detection on the third
// packet that met a closed port.
type fakeProgram struct {
	outcomes []Outcome
	clocks   []time.Duration
	frames   [][]byte
	forgot   int
	closed   int
	pending  []event.Detection
}

func (f *fakeProgram) SetClock(d time.Duration) error { f.clocks = append(f.clocks, d); return nil }
func (f *fakeProgram) SetOutcome(o Outcome) error     { f.outcomes = append(f.outcomes, o); return nil }
func (f *fakeProgram) Forget() error                  { f.forgot++; f.closed = 0; return nil }

func (f *fakeProgram) Run(frame []byte) error {
	f.frames = append(f.frames, frame)
	if f.outcomes[len(f.outcomes)-1] == Closed {
		if f.closed++; f.closed == 3 {
			f.pending = append(f.pending, event.Detection{
				Verdict: event.VerdictAlert, Source: netip.PrefixFrom(client, 32), Distinct: 3,
				Kinds: event.Kinds(0).With(event.Connect), Main: event.Connect,
			})
		}
	}
	return nil
}

func (f *fakeProgram) Events() ([]event.Detection, error) {
	out := f.pending
	f.pending = nil
	return out, nil
}

// capture writes frames, 10 ms apart, and returns the file's path.
func capture(t *testing.T, link layers.LinkType, frames ...[]byte) string {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriter(&buf)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * 10 * time.Millisecond), CaptureLength: len(f), Length: len(f)}
		if err := w.WritePacket(info, f); err != nil {
			t.Fatal(err)
		}
	}
	return file(t, buf.Bytes())
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// answer is the server's packet in the same connection.
func answer(p packets.TCP, flags byte) packets.TCP {
	p.Src, p.Dst, p.SrcPort, p.DstPort, p.Flags = p.Dst, p.Src, p.DstPort, p.SrcPort, flags
	return p
}

func unreachable(p packets.TCP) []byte {
	p.Src, p.Dst = p.Dst, p.Src
	quoted := packets.TCP{Src: p.Dst, Dst: p.Src, SrcPort: p.SrcPort, DstPort: p.DstPort}.UDP(nil)[14:]
	return p.IP(1, append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quoted...))
}

func TestOutcomes(t *testing.T) {
	syn := packets.Connect(client, server, 80)
	ack := syn
	ack.Flags, ack.Options = packets.ACK, nil
	data := ack
	data.Payload = []byte("x")
	end := ack
	end.Flags |= packets.FIN
	otherSide := packets.Connect(client, server, 9999) // makes the capture two-sided
	twoSided := [][]byte{otherSide.Bytes(), answer(otherSide, packets.RST|packets.ACK).Bytes()}
	for _, row := range []struct {
		name   string
		frames [][]byte
		want   Outcome // of the first frame
	}{
		{"SYN answered", [][]byte{syn.Bytes(), answer(syn, packets.SYN|packets.ACK).Bytes()}, Open},
		{"SYN refused", [][]byte{syn.Bytes(), answer(syn, packets.RST|packets.ACK).Bytes()}, Closed},
		{"SYN unanswered", append([][]byte{syn.Bytes()}, twoSided...), Closed},
		{"SYN of a connection whose SYN+ACK was missed", [][]byte{syn.Bytes(), answer(data, packets.ACK).Bytes()}, Open},
		{"SYN gone on with", append([][]byte{syn.Bytes(), ack.Bytes()}, twoSided...), Open},
		{"SYN refused and gone on with", [][]byte{syn.Bytes(), answer(syn, packets.RST|packets.ACK).Bytes(), ack.Bytes()}, Closed},
		{"ACK of an older connection", append([][]byte{ack.Bytes(), data.Bytes()}, twoSided...), Unknown},
		{"data that nothing follows", append([][]byte{data.Bytes()}, twoSided...), Closed},
		{"data refused", [][]byte{data.Bytes(), answer(ack, packets.RST).Bytes()}, Closed},
		{"data of an older connection", append([][]byte{data.Bytes(), data.Bytes(), ack.Bytes()}, twoSided...), Unknown},
		{"SYN to where one comes from", [][]byte{syn.Bytes(), answer(syn, packets.SYN).Bytes()}, Open},
		{"SYN+ACK that nobody asked for", [][]byte{answer(answer(syn, 0), packets.SYN|packets.ACK).Bytes(), answer(ack, packets.RST).Bytes()}, Closed},
		{"ACK refused", [][]byte{ack.Bytes(), answer(ack, packets.RST).Bytes()}, Closed},
		{"ACK, and nothing else", append([][]byte{ack.Bytes()}, twoSided...), Closed},
		{"ACK sent twice, and nothing else", append([][]byte{ack.Bytes(), ack.Bytes()}, twoSided...), Closed},
		{"three ACKs of an older connection", append([][]byte{ack.Bytes(), ack.Bytes(), ack.Bytes()}, twoSided...), Unknown},
		{"ACK before the end of an older connection", append([][]byte{ack.Bytes(), end.Bytes()}, twoSided...), Unknown},
		{"ACK answered by one", append([][]byte{ack.Bytes(), answer(ack, packets.ACK).Bytes()}, twoSided...), Unknown},
		{"datagram answered", [][]byte{syn.UDP(nil), answer(syn, 0).UDP(nil)}, Open},
		{"datagram refused", [][]byte{syn.UDP(nil), unreachable(syn)}, Closed},
		{"datagram unanswered", append([][]byte{syn.UDP(nil)}, twoSided...), Closed},
		{"eleven tries of a datagram", append(slices.Repeat([][]byte{syn.UDP(nil)}, 11), twoSided...), Closed},
		{"media that flow one way", append(slices.Repeat([][]byte{syn.UDP(nil)}, 12), twoSided...), Open},
		{"media that nobody wants", append(slices.Repeat([][]byte{syn.UDP(nil)}, 12), unreachable(syn)), Closed},
	} {
		prog := &fakeProgram{}
		result, err := Run(capture(t, layers.LinkTypeEthernet, row.frames...), prog, Options{Host: server})
		if err != nil || result.OneSided {
			t.Errorf("%s: one-sided %v, %v", row.name, result.OneSided, err)
		}
		if len(prog.outcomes) == 0 || prog.outcomes[0] != row.want {
			t.Errorf("%s: outcomes %v, want %v first", row.name, prog.outcomes, row.want)
		}
	}
}

func TestAnswersToTheHostsOwnConnectionsAreOpen(t *testing.T) {
	syn := packets.Connect(server, client, 80)
	got := outcomesOf(t, server, syn.Bytes(), answer(syn, packets.SYN|packets.ACK).Bytes())
	if len(got) != 1 || got[0] == Closed {
		t.Errorf("outcomes %v, want not closed", got)
	}
}

func TestAnswersToTheHostsOwnDatagramsAreOpen(t *testing.T) {
	question := packets.Connect(server, client, 69) // TFTP answers from a port of its own
	reply := packets.Connect(client, server, question.SrcPort)
	reply.SrcPort = 50123
	prog := &fakeProgram{}
	if _, err := Run(capture(t, layers.LinkTypeEthernet, question.UDP(nil), reply.UDP(nil)), prog, Options{Host: server}); err != nil {
		t.Fatal(err)
	}
	if len(prog.outcomes) != 1 || prog.outcomes[0] != Open {
		t.Errorf("outcomes %v, want open", prog.outcomes)
	}
}

// Who searches for devices (SSDP) asks everybody from one socket, and may
// have closed it when the last of them answers.
func TestLateAnswersToAQuestionToAll(t *testing.T) {
	search := packets.TCP{Src: server, Dst: netip.MustParseAddr("239.255.255.250"), SrcPort: 50123, DstPort: 1900}
	late := packets.TCP{Src: client, Dst: server, SrcPort: 41234, DstPort: 50123}
	got := outcomesOf(t, server, search.UDP([]byte("M-SEARCH")), late.UDP([]byte("here")), unreachable(late))
	if len(got) != 1 || got[0] != Open {
		t.Errorf("outcomes %v, want open", got)
	}
}

func TestDetectionsCarryTheCapturesTime(t *testing.T) {
	var frames [][]byte
	for port := range uint16(5) {
		syn := packets.Connect(client, server, 1000+port)
		frames = append(frames, syn.Bytes(), answer(syn, packets.RST|packets.ACK).Bytes())
	}
	prog := &fakeProgram{}
	result, err := Run(capture(t, layers.LinkTypeEthernet, frames...), prog, Options{MinScore: 4})
	if err != nil {
		t.Fatal(err)
	}
	if result.Packets != 10 || len(result.Detections) != 1 {
		t.Fatalf("%+v", result)
	}
	d := result.Detections[0]
	if d.Destination != server || d.AlertProbes != 3 || !d.Alerted.Equal(start.Add(40*time.Millisecond)) {
		t.Errorf("%+v", d)
	}
	if prog.forgot != 2 { // the client is a destination too
		t.Errorf("%d hosts judged, want each of 2 from a clean slate", prog.forgot)
	}
	if gap := prog.clocks[len(prog.clocks)-1] - prog.clocks[len(prog.clocks)-2]; gap != 20*time.Millisecond {
		t.Errorf("the clock moved %v between two packets to a host", gap)
	}
}

// Without answers a bare ACK is a probe only if no system sends the like.
func TestOneSidedACKs(t *testing.T) {
	ack := packets.Connect(client, server, 80)
	ack.Flags, ack.Options = packets.ACK, nil
	for df, want := range map[bool]Outcome{true: Unknown, false: Closed} {
		ack.DF = df
		prog := &fakeProgram{}
		if _, err := Run(capture(t, layers.LinkTypeEthernet, ack.Bytes()), prog, Options{}); err != nil || prog.outcomes[0] != want {
			t.Errorf("DF %v: %v, %v; want %v", df, prog.outcomes, err, want)
		}
	}
}

func TestOneSided(t *testing.T) {
	syn := packets.Connect(client, server, 80)
	prog := &fakeProgram{}
	result, err := Run(capture(t, layers.LinkTypeEthernet, syn.Bytes(), syn.Bytes()), prog, Options{})
	if err != nil || !result.OneSided || prog.outcomes[0] != Closed {
		t.Errorf("%+v, %v, %v", result, prog.outcomes, err)
	}
}

// In one direction of passive FTP each connection has a port of its own, and
// its client's ACKs say that it was answered.
func TestOneSidedConnections(t *testing.T) {
	var frames [][]byte
	for port := range uint16(8) {
		syn := packets.Connect(client, server, 50000+port)
		ack := syn
		ack.Flags, ack.Options = packets.ACK, nil
		frames = append(frames, syn.Bytes(), ack.Bytes())
	}
	unanswered := packets.Connect(client, server, 60000)
	prog := &fakeProgram{}
	result, err := Run(capture(t, layers.LinkTypeEthernet, append(frames, unanswered.Bytes())...), prog, Options{})
	if err != nil || !result.OneSided || len(result.Detections) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if last := prog.outcomes[len(prog.outcomes)-1]; prog.outcomes[0] != Open || last != Closed {
		t.Errorf("outcomes %v, want open for what goes on, and closed for the last", prog.outcomes)
	}
}

func TestLinkTypesAndFormats(t *testing.T) {
	for _, ip := range [][]byte{
		packets.Connect(client, server, 80).Bytes()[14:],
		packets.Connect(netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("2001:db8:1::1"), 80).Bytes()[14:],
	} {
		etherType := []byte{0x08, 0x00}
		if ip[0]>>4 == 6 {
			etherType = []byte{0x86, 0xdd}
		}
		null := binary.LittleEndian.AppendUint32(nil, 2)
		sll := append(make([]byte, 14), etherType...)
		sll2 := append(append([]byte{}, etherType...), make([]byte, 18)...)
		for link, frame := range map[layers.LinkType][]byte{
			layers.LinkTypeRaw: ip, linkRawBSD: ip, layers.LinkTypeNull: append(null, ip...),
			layers.LinkTypeLinuxSLL: append(sll, ip...), linkSLL2: append(sll2, ip...),
		} {
			path := capture(t, link, frame)
			prog := &fakeProgram{}
			result, err := Run(path, prog, Options{})
			if err != nil || result.Skipped != 0 || len(prog.frames) != 1 || !bytes.Equal(prog.frames[0][14:], ip) || !bytes.Equal(prog.frames[0][12:14], etherType) {
				t.Errorf("link type %v: %+v, %v", link, result, err)
			}
			plain, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(plain)
			w.Close()
			if result, err := Run(file(t, z.Bytes()), &fakeProgram{}, Options{}); err != nil || result.Packets != 1 {
				t.Errorf("link type %v, gzip: %+v, %v", link, result, err)
			}
		}
	}
	odd := capture(t, layers.LinkTypeIEEE802_11, []byte{1, 2, 3})
	if result, err := Run(odd, &fakeProgram{}, Options{}); err != nil || result.Skipped != 1 {
		t.Errorf("unknown link type: %+v, %v", result, err)
	}
}

func TestPcapng(t *testing.T) {
	var buf bytes.Buffer
	w, err := pcapgo.NewNgWriter(&buf, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	frame := packets.Connect(client, server, 80).Bytes()
	info := gopacket.CaptureInfo{Timestamp: start, CaptureLength: len(frame), Length: len(frame)}
	if err := w.WritePacket(info, frame); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if result, err := Run(file(t, buf.Bytes()), &fakeProgram{}, Options{}); err != nil || result.Packets != 1 || result.Skipped != 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// Every cut of a capture gives either what was whole or a clear error, and
// what was whole is judged.
func TestDamagedCaptures(t *testing.T) {
	syn := packets.Connect(client, server, 80).Bytes()
	whole, err := os.ReadFile(capture(t, layers.LinkTypeEthernet, syn, syn))
	if err != nil {
		t.Fatal(err)
	}
	record := 16 + len(syn)
	for n := range len(whole) {
		result, err := Run(file(t, whole[:n]), &fakeProgram{}, Options{})
		want := max(n-24, 0) / record
		// The library cannot tell a cut right behind a record's header from
		// the end; no packet is lost by it.
		atBoundary := n >= 24 && ((n-24)%record == 0 || (n-24)%record == 16)
		kind := ErrDamaged
		if n < 24 {
			kind = ErrNotCapture
		}
		if result.Packets != want || (err == nil) != atBoundary || (err != nil && !errors.Is(err, kind)) {
			t.Fatalf("%d of %d bytes: %d packets, %v", n, len(whole), result.Packets, err)
		}
	}
	if _, err := Run(filepath.Join(t.TempDir(), "none"), &fakeProgram{}, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	for name, path := range map[string]string{"text": file(t, []byte("no capture\n")), "a directory": t.TempDir()} {
		if result, err := Run(path, &fakeProgram{}, Options{}); !errors.Is(err, ErrNotCapture) || result.OneSided {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

// A capture that would take too much memory is judged as far as it was read,
// and the error says so.
func TestTooLargeCaptures(t *testing.T) {
	syn := packets.Connect(client, server, 80).Bytes()
	path := capture(t, layers.LinkTypeEthernet, syn, syn, syn)
	two := 2 * (knownCost + packetCost + len(syn))
	var read []int
	prog := &fakeProgram{}
	result, err := Run(path, prog, Options{MaxBytes: two, Read: func(n int) { read = append(read, n) }})
	if !errors.Is(err, ErrTooLarge) || len(prog.frames) != 2 || result.Packets != 3 || len(read) != 3 {
		t.Errorf("three packets where two have room: %+v, %d judged, %v read, %v", result, len(prog.frames), read, err)
	}
	if !strings.Contains(err.Error(), path) {
		t.Errorf("%q does not name the capture", err)
	}
	if _, err := Run(path, &fakeProgram{}, Options{MaxBytes: two, Host: client}); err != nil {
		t.Errorf("packets that are not kept: %v", err)
	}
}

// A header that promises no snap length, or too little, is no reason to
// refuse packets; a length that no packet has is.
func TestSnapLengths(t *testing.T) {
	syn := packets.Connect(client, server, 80).Bytes()
	whole, err := os.ReadFile(capture(t, layers.LinkTypeEthernet, syn))
	if err != nil {
		t.Fatal(err)
	}
	for _, snapLength := range []uint32{0, 1, 1<<32 - 1} {
		binary.LittleEndian.PutUint32(whole[16:], snapLength)
		if result, err := Run(file(t, whole), &fakeProgram{}, Options{}); err != nil || result.Packets != 1 {
			t.Errorf("snap length %d: %+v, %v", snapLength, result, err)
		}
	}
	binary.LittleEndian.PutUint32(whole[32:], 1<<32-16)
	binary.LittleEndian.PutUint32(whole[36:], 1<<32-16)
	if _, err := Run(file(t, whole), &fakeProgram{}, Options{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a packet of 4 GiB: %v", err)
	}
}

// A frame of a snap length beyond every packet is cut to what is kept.
func TestHugeFramesAreCut(t *testing.T) {
	syn := packets.Connect(client, server, 80)
	syn.Payload = make([]byte, 60000)
	prog := &fakeProgram{}
	if _, err := Run(capture(t, layers.LinkTypeEthernet, syn.Bytes()), prog, Options{}); err != nil {
		t.Fatal(err)
	}
	if len(prog.frames) != 1 || len(prog.frames[0]) != maxFrame || cap(prog.frames[0]) > 2*maxFrame {
		t.Errorf("%d frames, the first of %d bytes in %d", len(prog.frames), len(prog.frames[0]), cap(prog.frames[0]))
	}
}
