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

// ErrTooLarge is a capture of which more would have to be kept in memory
// than Options.MaxBytes. What was read until then is good.
var ErrTooLarge = errors.New("capture is too large")

// maxFrame bounds what is kept of a packet: headers are all that counts,
// and captures behind segmentation offload hold frames of 64 KiB.
const maxFrame = 1500

// maxRecord bounds what is read of a packet: libpcap's MAXIMUM_SNAPLEN. More
// is no packet, but a damaged length.
const maxRecord = 256 << 10

// frame is one packet as an Ethernet frame.
type frame struct {
	time time.Time
	data []byte
}

// source is what pcap and pcapng readers share.
type source interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// read calls each with every frame of a capture until that returns an error:
// pcap or pcapng, plain or gzip. Packets of unknown link types and runts are
// counted in skipped. Errors: ErrNotCapture, ErrDamaged behind the last good
// packet, what each returned.
func read(capture io.Reader, each func(frame) error) (skipped int, err error) {
	in := bufio.NewReader(capture)
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		defer z.Close()
		in = bufio.NewReader(z)
	}
	src, linkType, err := open(in)
	if err != nil {
		return 0, fmt.Errorf("%w in pcap or pcapng, plain or gzip: %w", ErrNotCapture, err)
	}
	for n := 1; ; n++ {
		data, info, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return skipped, nil
		}
		if err != nil {
			return skipped, fmt.Errorf("%w at packet %d: %w", ErrDamaged, n, err)
		}
		eth := toEthernet(linkType(info), data[:min(len(data), maxFrame+maxHeader)])
		if eth == nil {
			skipped++
			continue
		}
		if err := each(frame{info.Timestamp, eth[:min(len(eth), maxFrame)]}); err != nil {
			return skipped, err
		}
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
	// What the header promises is often 0 or wrong; tcpdump takes this much.
	r.SetSnaplen(maxRecord)
	return r, func(gopacket.CaptureInfo) layers.LinkType { return r.LinkType() }, nil
}
