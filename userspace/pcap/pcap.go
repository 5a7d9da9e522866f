// SPDX-License-Identifier: MIT

// Package pcap writes recorded packet headers as capture files: pcap with
// nanoseconds and link type raw IP, which Wireshark, tcpdump and denmap
// replay read.
package pcap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"denmap/userspace/event"
)

// snapLength is what the file's head promises as the longest packet: an
// IPv6 packet of 65535 bytes behind its header.
const snapLength = 65535 + 40

// ErrExists is returned, wrapped, by WriteFile for a file that is there.
var ErrExists = errors.New("file exists")

// Write writes a whole capture of packets in the given order. Each keeps
// the length that it had on the wire.
func Write(w io.Writer, packets []event.Packet) error {
	out := pcapgo.NewWriterNanos(w)
	if err := out.WriteFileHeader(snapLength, layers.LinkTypeRaw); err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	for _, p := range packets {
		info := gopacket.CaptureInfo{
			Timestamp: p.Time, CaptureLength: len(p.Header), Length: max(p.Length, len(p.Header)),
		}
		if err := out.WritePacket(info, p.Header); err != nil {
			return fmt.Errorf("write capture: %w", err)
		}
	}
	return nil
}

// WriteFile writes a capture that only its owner may read: it names who
// talked to this host. What is at path already is replaced whole if
// overwrite is set and it is a regular file, else left alone; the error
// then wraps ErrExists. After an error no partial file is left.
func WriteFile(path string, packets []event.Packet, overwrite bool) (err error) {
	before, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("write capture: %w", err)
	case !before.Mode().IsRegular():
		return fmt.Errorf("write capture: %q is not a regular file", path)
	case !overwrite:
		return fmt.Errorf("write capture to %q: %w", path, ErrExists)
	}
	// CreateTemp makes files with mode 0600.
	f, err := os.CreateTemp(filepath.Dir(path), ".denmap-*.pcap")
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	defer func() {
		// Nothing is left once it has its name.
		if rerr := os.Remove(f.Name()); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if err := errors.Join(Write(f, packets), f.Close()); err != nil {
		return err
	}
	return publish(f.Name(), path, overwrite)
}

// publish gives a file its name. A link, unlike a rename, never replaces
// what came into being meanwhile.
func publish(temporary, path string, overwrite bool) error {
	if overwrite {
		if err := os.Rename(temporary, path); err != nil {
			return fmt.Errorf("write capture: %w", err)
		}
		return nil
	}
	err := os.Link(temporary, path)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("write capture to %q: %w", path, ErrExists)
	case err != nil: // a file system without links: the look at path must do
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("write capture: %w", err)
	}
	return nil
}
