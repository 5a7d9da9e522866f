// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"denmap/bpf"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	tracking "denmap/userspace/scans" // a table of the tests is called scans
)

// FuzzEvents reads any bytes as records of the ring buffer and follows
// them to the end: whatever the kernel reported, the log gets lines that
// can be read back.
func FuzzEvents(f *testing.F) {
	record := bpf.ScanEvent{
		Source: prefixKey(netip.MustParsePrefix("203.0.113.7/32")), Dst: words(host4), Kinds: 1, Protocol: 6,
		Score: 8, Threshold: 8, Distinct: 4, Ports: [16]uint16{netToHost(22), netToHost(80), netToHost(443), netToHost(113)},
		Tools: [16]uint8{event.ToolNmap: 2}, Time: 10e9, First: 9e9, Until: 610e9, Type: bpf.ScanEventTypeEVENT_BAN,
	}
	seed := func(change func(*bpf.ScanEvent)) []byte {
		e := record
		change(&e)
		return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&e)), eventSize))
	}
	one := seed(func(*bpf.ScanEvent) {})
	f.Add(one)
	f.Add(one[:eventSize-1])
	f.Add(bytes.Repeat(one, 3))
	f.Add(seed(func(e *bpf.ScanEvent) { e.Source = addrKey(netip.MustParseAddr("fe80::7"), 3) }))
	f.Add(seed(func(e *bpf.ScanEvent) { e.Source = prefixKey(netip.MustParsePrefix("2001:db8:1:2::/64")) }))
	f.Add(seed(func(e *bpf.ScanEvent) { e.Until, e.Time, e.First = forever, forever, 0 }))
	f.Add(seed(func(e *bpf.ScanEvent) { e.Source.Len, e.Distinct = 20, 1<<32-1 }))
	f.Add(bytes.Repeat([]byte{0xff}, 2*eventSize))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := make(chan event.Detection, 4)
		for len(raw) > 0 && len(in) < cap(in) {
			sample := raw[:min(len(raw), eventSize)]
			raw = raw[len(sample):]
			d, err := decode(sample)
			if (err == nil) != (len(sample) == eventSize) {
				t.Fatalf("decode %d bytes: %v", len(sample), err)
			}
			if err == nil {
				in <- d
			}
		}
		close(in)
		tracker := tracking.New(tracking.Options{Kernel: noKernel{}, DecoyWait: -1})
		tracker.Run(t.Context(), in, func(e event.Event) { mustLog(t, e) })
	})
}

// noKernel remembers nothing.
type noKernel struct{}

func (noKernel) Ban(netip.Prefix) (event.Ban, bool, error)       { return event.Ban{}, false, nil }
func (noKernel) Source(netip.Prefix) (event.Source, bool, error) { return event.Source{}, false, nil }

// mustLog writes an event in every form and reads it back.
func mustLog(t *testing.T, e event.Event) {
	line, err := eventlog.EncodeJSON(e, eventlog.Meta{Version: "test", Hostname: "host.example"})
	if err != nil || !json.Valid(line) {
		t.Errorf("%+v: %q, %v", e.Scan, line, err)
		return
	}
	for _, line := range [][]byte{line, eventlog.EncodeText(e, eventlog.Meta{})} {
		r, err := eventlog.Decode(line)
		if err != nil || r.Event.Scan == nil || r.Event.Scan.Source != e.Scan.Source {
			t.Errorf("%+v: %q is read as %+v, %v", e.Scan, line, r.Event.Scan, err)
			continue
		}
		var text bytes.Buffer
		if err := eventlog.RenderHuman(&text, r, time.UTC); err != nil || !utf8.Valid(text.Bytes()) || bytes.Count(text.Bytes(), []byte("\n")) != 1 {
			t.Errorf("%q is rendered as %q, %v", line, &text, err)
		}
	}
}
