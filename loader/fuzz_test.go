// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
)

// FuzzProgram holds the program against the model on any frame, twice: a
// verdict, never an abort, and a drop only where a rule names it. The
// coverage that steers the search is the model's, which has a branch for
// each of the program's.
func FuzzProgram(f *testing.F) {
	for _, frame := range seedFrames() {
		f.Add(frame)
	}
	differ := runLab(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 14 || len(frame) > 1600 {
			return
		}
		if difference := differ(frame); difference != "" {
			t.Errorf("%s\n%x", difference, frame)
		}
	})
}

// runLab starts a lab on a thread of its own, since the sockets that the
// program asks are those of the calling thread and every fuzzed frame comes
// on another one. The function it returns runs one frame.
func runLab(f *testing.F) func(frame []byte) string {
	f.Helper()
	l := bareModelLab(f, enforcing())
	netns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		f.Fatal(err)
	}
	defer netns.Close()
	frames, differences := make(chan []byte), make(chan string)
	f.Cleanup(func() { close(frames) })
	entered := make(chan error)
	go func() {
		runtime.LockOSThread()
		entered <- unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET)
		l.t = panicking{f}
		m := l.restart()
		for frame := range frames {
			if len(m.sources) > 0 {
				m = l.restart()
			}
			difference := l.compare(m, frame)
			if difference == "" {
				difference = l.compare(m, frame)
			}
			differences <- difference
		}
	}()
	if err := <-entered; err != nil {
		f.Fatal(err)
	}
	return func(frame []byte) string {
		frames <- frame
		return <-differences
	}
}

// panicking stands in for the *testing.F of a lab whose fuzzing has begun.
type panicking struct{ testing.TB }

func (panicking) Helper() {}

func (panicking) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (panicking) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// seedFrames are one of every builder and family, and of every wrapping.
func seedFrames() (frames [][]byte) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		for _, shape := range shapes {
			frames = append(frames, shape(src, host(src), 1000).Bytes())
		}
		p := packet.Connect(src, host(src), 1000)
		for _, options := range optionLists {
			p.Options = options
			frames = append(frames, p.Bytes())
		}
		frames = append(frames, p.UDP([]byte("x")), p.SCTP(1), p.SCTP(10))
		for _, protocol := range []byte{1, 2, 47, 58, 59, 150} {
			frames = append(frames, p.IP(protocol, []byte{3, 4, 0, 0, 0, 0, 0, 0}))
		}
		p.VLANs = []uint16{0x88a8, 0x8100}
		frames = append(frames, p.Bytes())
		p.VLANs = append(p.VLANs, 0x8100)
		frames = append(frames, p.Bytes())
		p.VLANs, p.IPOptions, p.Fragment = nil, []byte{1, 1, 1, 1}, 0x2000
		p.Extensions = []packet.Extension{
			{Number: 0, Body: []byte{0, 1, 4, 0, 0, 0, 0}}, {Number: 43, Body: []byte{0, 0, 0, 0, 0, 0, 0}},
			{Number: 51, Body: []byte{2, 14: 0}}, {Number: 44, Body: []byte{0, 0, 1, 0, 0, 0, 1}},
		}
		frames = append(frames, p.Bytes())
		tiny := p.Bytes()
		frames = append(frames, tiny[:len(tiny)-30])
		for range 17 {
			p.Extensions = append(p.Extensions, packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
		}
		frames = append(frames, p.Bytes())
		p.Extensions = []packet.Extension{{Number: 60, Body: []byte{255, 1, 4, 0, 0, 0, 0}}} // longer than the packet
		frames = append(frames, p.Bytes())
		group := packet.Connect(src, host(src), 1000)
		group.DstMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		frames = append(frames, group.Bytes())
	}
	mapped := packet.Connect(scanner6, host6, 1000).Bytes()
	copy(mapped[22:], []byte{10: 0xff, 11: 0xff, 12: 203, 13: 0, 14: 113, 15: 7})
	frames = append(frames, mapped)
	return append(frames, append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1))
}
