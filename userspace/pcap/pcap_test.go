// SPDX-License-Identifier: MIT

package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"denmap/userspace/event"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 678_900_123, time.UTC)

// samplePackets are a SYN over IPv4 and a datagram over IPv6 of which only
// the head was kept.
func samplePackets(t *testing.T) []event.Packet {
	t.Helper()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	serialize := func(parts ...gopacket.SerializableLayer) []byte {
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, options, parts...); err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(buf.Bytes())
	}
	ip4 := &layers.IPv4{Version: 4, TTL: 52, Protocol: layers.IPProtocolTCP, SrcIP: []byte{203, 0, 113, 7}, DstIP: []byte{192, 0, 2, 1}}
	tcp := &layers.TCP{SrcPort: 40482, DstPort: 22, Seq: 7, SYN: true, Window: 1024}
	if err := tcp.SetNetworkLayerForChecksum(ip4); err != nil {
		t.Fatal(err)
	}
	ip6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: make([]byte, 16), DstIP: make([]byte, 16)}
	udp := &layers.UDP{SrcPort: 53, DstPort: 161}
	if err := udp.SetNetworkLayerForChecksum(ip6); err != nil {
		t.Fatal(err)
	}
	syn, datagram := serialize(ip4, tcp), serialize(ip6, udp, gopacket.Payload(make([]byte, 500)))
	return []event.Packet{
		{Time: start, Length: len(syn), Header: syn},
		{Time: start.Add(time.Millisecond), Length: len(datagram), Header: datagram[:80]},
	}
}

// check reads a capture back and compares.
func check(t *testing.T, in io.Reader, want []event.Packet) {
	t.Helper()
	r, err := pcapgo.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != layers.LinkTypeRaw {
		t.Errorf("link type %v, want raw IP", r.LinkType())
	}
	for i, p := range want {
		data, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, p.Header) || info.Length != p.Length || !info.Timestamp.Equal(p.Time) {
			t.Errorf("packet %d: %d of %d bytes at %v, want %d of %d at %v", i, len(data), info.Length, info.Timestamp, len(p.Header), p.Length, p.Time)
		}
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Errorf("more than %d packets: %v", len(want), err)
	}
}

func TestWrite(t *testing.T) {
	packets := samplePackets(t)
	var out bytes.Buffer
	if err := Write(&out, packets); err != nil {
		t.Fatal(err)
	}
	// LINKTYPE_RAW is 101 in files, whatever the library calls it.
	if link := binary.LittleEndian.Uint32(out.Bytes()[20:24]); link != 101 {
		t.Errorf("link type %d in the file, want 101", link)
	}
	check(t, bytes.NewReader(out.Bytes()), packets)

	r, err := pcapgo.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := r.ReadPacketData()
	if err != nil {
		t.Fatal(err)
	}
	packet := gopacket.NewPacket(data, r.LinkType(), gopacket.Default)
	if tcp, ok := packet.Layer(layers.LayerTypeTCP).(*layers.TCP); !ok || tcp.DstPort != 22 || !tcp.SYN {
		t.Errorf("decoded as %v", packet)
	}
}

// TestWriteShortLength: a length that cannot be is not written.
func TestWriteShortLength(t *testing.T) {
	packets := samplePackets(t)
	packets[0].Length = 1
	var out bytes.Buffer
	if err := Write(&out, packets); err != nil {
		t.Fatal(err)
	}
	packets[0].Length = len(packets[0].Header)
	check(t, &out, packets)
}

func TestWriteFile(t *testing.T) {
	packets, dir := samplePackets(t), t.TempDir()
	path := filepath.Join(dir, "why.pcap")
	read := func(want []event.Packet) {
		t.Helper()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		check(t, f, want)
	}
	if err := WriteFile(path, packets, false); err != nil {
		t.Fatal(err)
	}
	read(packets)
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := WriteFile(path, packets[:1], false); !errors.Is(err, ErrExists) {
		t.Errorf("second write: %v, want ErrExists", err)
	}
	read(packets)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, packets[:1], true); err != nil {
		t.Fatal(err)
	}
	read(packets[:1])
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v after overwriting; want 0600", info.Mode(), err)
	}

	// What is no file is left alone, even by force.
	link := filepath.Join(dir, "link.pcap")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, dir, "/dev/null", filepath.Join(dir, "none", "x.pcap")} {
		if err := WriteFile(name, packets, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	read(packets[:1])
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v left, %v; want the capture and the link", left, err)
	}
}

// TestPublishLosesNoRace: a file that came into being meanwhile stays.
func TestPublishLosesNoRace(t *testing.T) {
	dir := t.TempDir()
	temporary, path := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, name := range []string{temporary, path} {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(temporary, path, false); !errors.Is(err, ErrExists) {
		t.Errorf("error %v, want ErrExists", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != path {
		t.Errorf("content %q, %v", content, err)
	}
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWriteFails(t *testing.T) {
	for _, room := range []int{0, 24, 40} {
		if err := Write(&brokenWriter{room}, samplePackets(t)); err == nil {
			t.Errorf("no error with room for %d bytes", room)
		}
	}
}
