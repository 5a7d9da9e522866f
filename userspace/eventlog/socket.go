// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"denmap/userspace/event"
)

const (
	socketQueue = 256
	// sendTimeout bounds one datagram to a daemon that does not read.
	sendTimeout = time.Second
	// closeTimeout bounds what Close waits for the queue.
	closeTimeout = 2 * time.Second
)

// ErrQueueFull is returned by a SocketSink whose reader is too slow.
var ErrQueueFull = errors.New("queue is full")

// SocketOptions of OpenSyslog and OpenJournal.
type SocketOptions struct {
	Path   string // of the socket; empty is the usual one
	Meta   Meta
	Report func(string)     // told once what went wrong, until it works again; nil drops it
	Now    func() time.Time // nil is time.Now
	PID    int              // in syslog's tag
}

// SocketStats are counts since a SocketSink was opened.
type SocketStats struct {
	Sent uint64
	Lost uint64 // not sent: the queue was full, or the socket gave an error
}

// SocketSink sends events to a local daemon's socket. Write only queues:
// a daemon that hangs costs lines, which are counted, but no time. A
// daemon that is restarted is found again.
type SocketSink struct {
	name   string
	opts   SocketOptions
	encode func(event.Event) ([]byte, error)
	dial   func() (net.Conn, error)
	queue  chan []byte
	quit   chan struct{} // closed when Close has waited long enough
	done   chan struct{}

	mu     sync.Mutex
	closed bool
	stats  SocketStats
}

func openSocket(name string, o SocketOptions, dial func() (net.Conn, error), encode func(event.Event) ([]byte, error)) *SocketSink {
	s := &SocketSink{
		name: name, opts: o, encode: encode, dial: dial,
		queue: make(chan []byte, socketQueue),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go s.run()
	return s
}

// Write queues one event.
func (s *SocketSink) Write(e event.Event) error {
	b, err := s.encode(e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case s.queue <- b:
		return nil
	default:
		s.stats.Lost++
		return fmt.Errorf("write to %s: %w", s.name, ErrQueueFull)
	}
}

// Stats returns the counts so far.
func (s *SocketSink) Stats() SocketStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close sends what is queued, for two seconds at most. It may be called
// twice.
func (s *SocketSink) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		return nil
	}
	close(s.queue)
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
		close(s.quit)
		<-s.done
	}
	return nil
}

func (s *SocketSink) run() {
	defer close(s.done)
	var conn net.Conn
	var state trouble
	report := func(reports []string) {
		for _, r := range reports {
			if s.opts.Report != nil {
				s.opts.Report(r)
			}
		}
	}
	for b := range s.queue {
		var err error
		select {
		case <-s.quit:
			err = ErrClosed
		default:
			conn, err = s.send(conn, b)
		}
		s.mu.Lock()
		if err != nil {
			s.stats.Lost++
		} else {
			s.stats.Sent++
		}
		s.mu.Unlock()
		if err != nil {
			report(state.failed(nil, fmt.Sprintf("event log: write to %s: %v", s.name, err)))
		} else {
			report(state.worked(nil, fmt.Sprintf("event log: %s works again", s.name)))
		}
	}
	if conn != nil {
		conn.Close()
	}
}

// send writes b, over a new connection if the old one is dead. It returns
// the connection to use next, nil after an error.
func (s *SocketSink) send(conn net.Conn, b []byte) (net.Conn, error) {
	if conn != nil {
		err := write(conn, b)
		if err == nil {
			return conn, nil
		}
		conn.Close()
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() {
			return nil, err
		}
	}
	conn, err := s.dial()
	if err != nil {
		return nil, err
	}
	if err := write(conn, b); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func write(conn net.Conn, b []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := conn.Write(b)
	return err
}
