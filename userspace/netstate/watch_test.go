// SPDX-License-Identifier: MIT

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// fakeKernel is a kernel whose state and socket a test plays.
type fakeKernel struct {
	mu       sync.Mutex
	names    []string // of the interfaces
	gateway  string
	cost     time.Duration // of reading routes
	broken   error         // what every question gets
	reads    int           // of routes
	sockets  []*fakeSocket
	noSocket error
}

type fakeSocket struct {
	messages chan any // []byte or error
	closed   chan struct{}
	once     sync.Once
}

func (s *fakeSocket) Read(b []byte) (int, error) {
	select {
	case m := <-s.messages:
		if err, ok := m.(error); ok {
			return 0, err
		}
		return copy(b, m.([]byte)), nil
	case <-s.closed:
		return 0, os.ErrClosed
	}
}

func (s *fakeSocket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (f *fakeKernel) kernel() kernel {
	return kernel{
		subscribe: func() (io.ReadCloser, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.noSocket != nil {
				return nil, f.noSocket
			}
			s := &fakeSocket{messages: make(chan any, 1000), closed: make(chan struct{})}
			f.sockets = append(f.sockets, s)
			return s, nil
		},
		devices: func() (devices, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			var d devices
			for i, name := range f.names {
				d.interfaces = append(d.interfaces, Interface{Index: i + 1, Name: name})
			}
			return d, f.broken
		},
		routes: func() (routes, error) {
			time.Sleep(f.cost) // the fake clock's
			f.mu.Lock()
			defer f.mu.Unlock()
			f.reads++
			if f.gateway == "" {
				return routes{}, f.broken
			}
			return routes{gateways: addrs(f.gateway)}, f.broken
		},
	}
}

func (f *fakeKernel) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeKernel) socket() *fakeSocket {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sockets[len(f.sockets)-1]
}

func (f *fakeKernel) socketCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sockets)
}

func (f *fakeKernel) routeReads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

func message(kind uint16) []byte {
	b := make([]byte, 32)
	binary.NativeEndian.PutUint32(b, 32)
	binary.NativeEndian.PutUint16(b[4:], kind)
	return b
}

// report is one call of a watch's callback.
type report struct {
	at    time.Duration // since the start
	names []string
	Snapshot
}

// diary is what a watch reported and complained about.
type diary struct {
	mu   sync.Mutex
	said []report
	errs []error
}

func (d *diary) reports() []report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.said)
}

func (d *diary) complaints() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.errs)
}

// watching runs a watch over the fake kernel in a bubble of fake time.
func watching(t *testing.T, f *fakeKernel, play func(Reader, *diary)) {
	t.Helper()
	r, _ := testReader(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var d diary
		start := time.Now()
		r.OnError = func(err error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.errs = append(d.errs, err)
		}
		done := make(chan error, 1)
		go func() {
			done <- r.watch(ctx, f.kernel(), func(s Snapshot) {
				d.mu.Lock()
				defer d.mu.Unlock()
				var names []string
				for _, i := range s.Interfaces {
					names = append(names, i.Name)
				}
				d.said = append(d.said, report{time.Since(start), names, s})
			})
		}()
		synctest.Wait()
		play(r, &d)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch ended with %v", err)
		}
	})
}

// pass lets fake time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestWatchReportsAtOnceAndOnChange(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		if len(d.reports()) != 1 || d.reports()[0].at != 0 {
			t.Fatalf("at the start: %+v", d.reports())
		}
		pass(time.Second)
		f.set(func() { f.names = []string{"lo", "eth0"} })
		f.socket().messages <- message(unix.RTM_NEWLINK)
		pass(window - time.Millisecond)
		if len(d.reports()) != 1 {
			t.Error("changes are not gathered")
		}
		pass(time.Millisecond)
		if len(d.reports()) != 2 || !slices.Equal(d.reports()[1].names, []string{"lo", "eth0"}) {
			t.Errorf("after the window: %+v", d.reports())
		}
	})
}

func TestWatchGathersButDoesNotWaitForQuiet(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		// A message every 10 ms, each with a change.
		for range 100 {
			f.set(func() { f.names = append(f.names, "x") })
			f.socket().messages <- message(unix.RTM_NEWLINK)
			pass(10 * time.Millisecond)
		}
		if n := len(d.reports()); n < 10 || n > 22 {
			t.Errorf("%d reports in a second of changes", n)
		}
		for i := 1; i < len(d.reports()); i++ {
			if gap := d.reports()[i].at - d.reports()[i-1].at; gap > 200*time.Millisecond {
				t.Errorf("nothing for %v", gap)
			}
		}
	})
}

func TestWatchIsSilentWithoutDifference(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		for range 10 {
			f.socket().messages <- message(unix.RTM_NEWLINK)
			pass(time.Second)
		}
		if len(d.reports()) != 1 {
			t.Errorf("%d reports of one state", len(d.reports()))
		}
	})
}

func TestWatchLooksAgainWithoutMessages(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(r Reader, d *diary) {
		pass(time.Second)
		mustWrite(t, r.ResolvConf, []byte("nameserver 192.0.2.53\n"))
		pass(defaultEvery)
		if len(d.reports()) != 2 {
			t.Fatalf("%d reports", len(d.reports()))
		}
		wantAddrs(t, "resolvers", d.reports()[1].Resolvers, "192.0.2.53")
	})
}

func TestWatchSurvivesAnOverrun(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		f.set(func() { f.names = []string{"lo", "eth0"}; f.gateway = "192.0.2.254" })
		f.socket().messages <- error(unix.ENOBUFS)
		pass(window)
		if len(d.reports()) != 2 || len(d.reports()[1].names) != 2 || len(d.reports()[1].Gateways) != 1 {
			t.Errorf("after an overrun: %+v", d.reports())
		}
		if len(d.complaints()) != 0 || f.socketCount() != 1 {
			t.Errorf("complaints %v, %d sockets", d.complaints(), f.socketCount())
		}
	})
}

func TestWatchSubscribesAnew(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		pass(3 * time.Second)
		f.set(func() { f.names = []string{"lo", "eth0"}; f.noSocket = unix.EMFILE })
		f.socket().messages <- error(unix.ENOTCONN)
		pass(2500 * time.Millisecond)
		if len(d.complaints()) < 3 || !errors.Is(d.complaints()[0], unix.ENOTCONN) || !errors.Is(d.complaints()[1], unix.EMFILE) {
			t.Errorf("complaints: %v", d.complaints())
		}
		f.set(func() { f.noSocket = nil })
		pass(retry)
		if f.socketCount() != 2 || len(d.reports()) != 2 {
			t.Fatalf("%d sockets, %d reports", f.socketCount(), len(d.reports()))
		}
		f.set(func() { f.names = []string{"lo"} })
		f.socket().messages <- message(unix.RTM_DELLINK)
		pass(window)
		if len(d.reports()) != 3 {
			t.Error("the new socket is not heard")
		}
		// A socket that is broken from the start must not be spun on.
		for range 20 {
			f.socket().messages <- error(io.EOF)
			pass(100 * time.Millisecond)
		}
		if n := f.socketCount(); n > 5 {
			t.Errorf("%d sockets in two seconds", n)
		}
	})
}

func TestWatchKeepsTheStateWhenReadingFails(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}}
	watching(t, f, func(_ Reader, d *diary) {
		pass(time.Second)
		f.set(func() { f.broken = unix.ENOMEM; f.names = nil })
		f.socket().messages <- message(unix.RTM_NEWLINK)
		pass(window)
		if len(d.reports()) != 1 || len(d.complaints()) != 2 {
			t.Errorf("%d reports, complaints %v", len(d.reports()), d.complaints())
		}
		f.set(func() { f.broken = nil; f.names = []string{"eth0"} })
		pass(retry)
		if len(d.reports()) != 2 || !slices.Equal(d.reports()[1].names, []string{"eth0"}) {
			t.Errorf("after the failure: %+v", d.reports())
		}
	})
}

func TestWatchFailsAtTheStart(t *testing.T) {
	r, _ := testReader(t)
	never := func(Snapshot) { t.Error("reported") }
	f := &fakeKernel{noSocket: unix.EMFILE}
	if err := r.watch(t.Context(), f.kernel(), never); !errors.Is(err, unix.EMFILE) {
		t.Errorf("without a socket: %v", err)
	}
	f = &fakeKernel{broken: unix.ENOMEM}
	if err := r.watch(t.Context(), f.kernel(), never); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("without an answer: %v", err)
	}
	<-f.socket().closed
}

// A router with a full table must not have its routes read all the time,
// and its links must not wait for them longer than one reading.
func TestWatchSparesHugeTables(t *testing.T) {
	f := &fakeKernel{names: []string{"lo"}, cost: 100 * time.Millisecond}
	watching(t, f, func(_ Reader, d *diary) {
		for range 1000 {
			f.socket().messages <- message(unix.RTM_NEWROUTE)
			pass(10 * time.Millisecond)
		}
		if n := f.routeReads(); n < 4 || n > 7 {
			t.Errorf("routes read %d times in ten seconds", n)
		}
		f.set(func() { f.names = []string{"eth0"} })
		f.socket().messages <- message(unix.RTM_NEWLINK)
		before := len(d.reports())
		pass(200 * time.Millisecond)
		if len(d.reports()) != before+1 {
			t.Error("a link waited for the routes")
		}
	})
}

func TestClassify(t *testing.T) {
	route, link, addr := message(unix.RTM_NEWROUTE), message(unix.RTM_DELLINK), message(unix.RTM_NEWADDR)
	long := message(unix.RTM_NEWROUTE)
	binary.NativeEndian.PutUint32(long, 1<<31-1)
	short := message(unix.RTM_NEWROUTE)
	binary.NativeEndian.PutUint32(short, 0)
	for _, tt := range []struct {
		name string
		msg  []byte
		want dirt
	}{
		{"route", route, dirtyRoutes},
		{"link", link, dirtyAll},
		{"address", addr, dirtyAll},
		{"routes", slices.Concat(route, route), dirtyRoutes},
		{"route and link", slices.Concat(route, link), dirtyAll},
		{"cut short", route[:20], dirtyRoutes},
		{"too long", long, dirtyRoutes},
		{"of no length", short, dirtyRoutes},
		{"nothing", nil, dirtyRoutes},
	} {
		if got := classify(tt.msg); got != tt.want {
			t.Errorf("%s: got %b, want %b", tt.name, got, tt.want)
		}
	}
}
