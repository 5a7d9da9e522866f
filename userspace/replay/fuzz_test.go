// SPDX-License-Identifier: MIT

package replay

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	packets "denmap/testenv/packet"
)

// FuzzRun replays anything: what is no capture is refused as that or as
// damaged, and the program gets whole frames, a clock that never goes back, and an
// outcome for each.
func FuzzRun(f *testing.F) {
	for _, seed := range seedCaptures(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		program := &fakeProgram{}
		result, err := RunFrom(bytes.NewReader(data), "seed", program, Options{})
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotCapture) {
			t.Fatal(err)
		}
		if len(program.frames) > result.Packets || len(program.outcomes) != len(program.frames) {
			t.Errorf("%d packets, %d frames, %d outcomes", result.Packets, len(program.frames), len(program.outcomes))
		}
		for _, frame := range program.frames {
			if len(frame) < ethernetHeader || len(frame) > maxFrame {
				t.Errorf("a frame of %d bytes", len(frame))
			}
		}
		if slices.Min(append(program.clocks, bootTime)) < bootTime {
			t.Errorf("clock before the first packet: %v", program.clocks)
		}
	})
}

// seedCaptures are captures of every form and link type, and their heads.
func seedCaptures(f *testing.F) [][]byte {
	f.Helper()
	syn := packets.Connect(client, server, 80)
	six := packets.TCP{Src: client, Dst: server, DstPort: 53}.UDP([]byte("query"))
	frames := [][]byte{syn.Bytes(), answer(syn, packets.RST|packets.ACK).Bytes(), unreachable(syn), six}
	ip := func(frame []byte) []byte { return frame[ethernetHeader:] }
	seeds := [][]byte{[]byte("\xd4\xc3\xb2\xa1"), []byte("\x0a\x0d\x0d\x0a"), []byte("\x1f\x8b")}
	add := func(link layers.LinkType, head []byte, cut func([]byte) []byte) {
		var buf bytes.Buffer
		w := pcapgo.NewWriter(&buf)
		if err := w.WriteFileHeader(65535, link); err != nil {
			f.Fatal(err)
		}
		for i, frame := range frames {
			frame = append(bytes.Clone(head), cut(frame)...)
			if err := w.WritePacket(infoOf(i, frame), frame); err != nil {
				f.Fatal(err)
			}
		}
		seeds = append(seeds, buf.Bytes())
	}
	add(layers.LinkTypeEthernet, nil, func(frame []byte) []byte { return frame })
	add(layers.LinkTypeRaw, nil, ip)
	add(layers.LinkTypeNull, []byte{2, 0, 0, 0}, ip)
	add(layers.LinkTypeLinuxSLL, append(make([]byte, 14), 8, 0), ip)
	add(linkSLL2, append([]byte{8, 0}, make([]byte, 18)...), ip)

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(seeds[3]); err != nil {
		f.Fatal(err)
	}
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	var ng bytes.Buffer
	w, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	if err != nil {
		f.Fatal(err)
	}
	for i, frame := range frames {
		if err := w.WritePacket(infoOf(i, frame), frame); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		f.Fatal(err)
	}
	return append(seeds, packed.Bytes(), ng.Bytes())
}

func infoOf(i int, frame []byte) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * time.Second), CaptureLength: len(frame), Length: len(frame)}
}
