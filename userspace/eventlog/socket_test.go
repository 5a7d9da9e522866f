// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

func mustListen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func receive(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn := mustListen(t, path)
	s := OpenSyslog(SocketOptions{Path: path, Meta: testMeta, PID: 42, Now: func() time.Time { return testTime }})
	defer s.Close()
	if err := s.Write(scanEvent(event.SourceBanned)); err != nil {
		t.Fatal(err)
	}
	got := receive(t, conn)
	want := regexp.MustCompile(`^<28>Jan  2 03:04:05 denmap\[42\]: source-banned: SYN scan by 203\.0\.113\.69 .* \| id=.* src=203\.0\.113\.69 .*\n$`)
	if !want.MatchString(got) {
		t.Errorf("datagram %q", got)
	}
}

func TestSyslogStreamSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := OpenSyslog(SocketOptions{Path: path})
	defer s.Close()
	if err := s.Write(numberedEvent(1)); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := receive(t, conn); !strings.Contains(got, "event-000001") {
		t.Errorf("line %q", got)
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	conn := mustListen(t, path)
	s := OpenJournal(SocketOptions{Path: path, Meta: testMeta})
	defer s.Close()
	e := changed(event.SourceBanned, func(e *event.Event, s *event.Scan) { e.Reason, s.Place.Country = "a\nPRIORITY=0", "b\nc" })
	if err := s.Write(e); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(receive(t, conn), "\n"), "\n") {
		k, v, ok := strings.Cut(line, "=")
		if _, twice := fields[k]; !ok || twice {
			t.Errorf("line %q", line)
		}
		fields[k] = v
	}
	for k, v := range map[string]string{
		"PRIORITY": "4", "SYSLOG_IDENTIFIER": "denmap", "DENMAP_ACTION": "source-banned", "DENMAP_SOURCE": "203.0.113.69",
		"DENMAP_SCAN": "syn", "DENMAP_EVENT": string(mustJSON(t, e)), "MESSAGE": Message(e),
	} {
		if fields[k] != v {
			t.Errorf("%s is %q, want %q", k, fields[k], v)
		}
	}
}

func TestSyslogDaemonRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var said reports
	s := OpenSyslog(SocketOptions{Path: path, Report: said.add})
	defer s.Close()
	if err := s.Write(numberedEvent(1)); err != nil { // nobody there yet
		t.Fatal(err)
	}
	eventually(t, "a loss", func() bool { return s.Stats().Lost == 1 && len(said.all()) == 1 })
	for i := 2; i < 4; i++ {
		conn := mustListen(t, path)
		if err := s.Write(numberedEvent(i)); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, conn); !strings.Contains(got, numberedEvent(i).ID) {
			t.Errorf("datagram %q", got)
		}
		conn.Close()
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if got := said.all(); len(got) != 2 {
		t.Errorf("reports %q", got)
	}
}

func TestHangingDaemonCostsNoTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	mustListen(t, path) // and never read
	s := OpenSyslog(SocketOptions{Path: path})
	const events = 3000
	full := 0
	start := time.Now()
	for i := range events {
		if err := s.Write(numberedEvent(i)); errors.Is(err, ErrQueueFull) {
			full++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > sendTimeout {
		t.Errorf("writing took %s", took)
	}
	if full == 0 {
		t.Error("the queue has no end")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Sent+st.Lost != events || st.Lost < uint64(full) {
		t.Errorf("stats %+v, %d refused", st, full)
	}
	if err := s.Write(numberedEvent(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}

type failing struct{ err error }

func (f failing) Write(event.Event) error { return f.err }
func (f failing) Close() error            { return f.err }

func TestMultiWritesToAll(t *testing.T) {
	l := mustOpen(t, Options{})
	broken := failing{errors.New("broken")}
	m := Multi(broken, l)
	if err := m.Write(numberedEvent(1)); !errors.Is(err, broken.err) {
		t.Errorf("error %v", err)
	}
	wantIDs(t, l.opts.Path, "1")
	if err := m.Close(); !errors.Is(err, broken.err) {
		t.Errorf("error %v", err)
	}
	if err := l.Write(numberedEvent(2)); !errors.Is(err, ErrClosed) {
		t.Errorf("the log is not closed: %v", err)
	}
}
