// SPDX-License-Identifier: MIT

// Package replay runs a capture through the detection program and says
// what a live DenMap would have detected. A capture has no socket table:
// a first pass reads from the answers what each probe met, a second runs
// the packets, one protected host at a time.
package replay

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// ErrDamaged is a capture that ends in the middle or makes no sense from
// some packet on. What was read until then is good.
var ErrDamaged = errors.New("capture is damaged")

// ErrNotCapture is a file that is no capture from its first byte on.
var ErrNotCapture = errors.New("not a capture")

// maxFrame bounds what is kept of a packet: headers are all that counts,
// and captures behind segmentation offload hold frames of 64 KiB.
const maxFrame = 1500

// frame is one packet as an Ethernet frame.
type frame struct {
	time time.Time
	data []byte
}

// source is what pcap and pcapng readers share.
type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// read calls each with every frame of the capture at path: pcap or pcapng,
// plain or gzip. Packets of unknown link types and runts are counted in
// skipped. Errors: ErrNotCapture, ErrDamaged behind the last good packet.
func read(path string, each func(frame)) (skipped int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open capture: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(f)
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w: %w", path, ErrDamaged, err)
		}
		defer z.Close()
		in = bufio.NewReader(z)
	}
	src, linkType, err := open(in)
	if err != nil {
		return 0, fmt.Errorf("read %q: %w in pcap or pcapng, plain or gzip: %w", path, ErrNotCapture, err)
	}
	for n := 1; ; n++ {
		data, info, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return skipped, nil
		}
		if err != nil {
			return skipped, fmt.Errorf("read %q: %w at packet %d: %w", path, ErrDamaged, n, err)
		}
		eth := toEthernet(linkType(info), data)
		if eth == nil {
			skipped++
			continue
		}
		each(frame{info.Timestamp, eth[:min(len(eth), maxFrame)]})
	}
}

// open tells pcap from pcapng.
func open(in *bufio.Reader) (source, func(gopacket.CaptureInfo) layers.LinkType, error) {
	magic, err := in.Peek(4)
	if err != nil {
		return nil, nil, fmt.Errorf("no header: %w", err)
	}
	if [4]byte(magic) == [4]byte{0x0a, 0x0d, 0x0d, 0x0a} {
		r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, nil, err
		}
		return r, func(i gopacket.CaptureInfo) layers.LinkType {
			if len(i.AncillaryData) > 0 {
				if t, ok := i.AncillaryData[0].(layers.LinkType); ok {
					return t
				}
			}
			return r.LinkType()
		}, nil
	}
	r, err := pcapgo.NewReader(in)
	if err != nil {
		return nil, nil, err
	}
	return r, func(gopacket.CaptureInfo) layers.LinkType { return r.LinkType() }, nil
}
