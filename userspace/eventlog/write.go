// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"os"
	"syscall"

	"denmap/userspace/event"
)

// Write appends one event, rotating before if the file would grow beyond
// MaxSize. After an error the event is not in the log; it is counted, and
// an events-lost event tells of it before the next one that is written.
func (l *Log) Write(e event.Event) error {
	l.mu.Lock()
	defer l.unlock()
	if l.closed {
		return ErrClosed
	}
	lines, err := l.encode(e)
	if err == nil {
		err = l.append(lines, 1)
	}
	if err != nil {
		l.stats.Failed++
		l.stats.Lost++
		l.reports = l.writing.failed(l.reports, "event log: "+err.Error())
		return err
	}
	l.reports = l.writing.worked(l.reports, "event log: written again")
	return nil
}

// append writes the lines of so many events and, in the same go before
// them, one that tells of the events that failed before.
func (l *Log) append(lines []byte, events uint64) error {
	if l.stats.Lost > 0 {
		lost, err := l.encode(event.Event{
			ID:     l.opts.NewID(),
			Time:   l.opts.Now(),
			Action: event.EventsLost,
			Lost:   &event.Loss{Stage: "log", Count: l.stats.Lost},
		})
		if err != nil {
			return err
		}
		lines = append(lost, lines...)
		events++
	}
	if len(lines) == 0 {
		return nil
	}
	if err := l.writeLines(lines); err != nil {
		return fmt.Errorf("write log %q: %w", l.opts.Path, cause(err))
	}
	l.stats.Lost = 0
	l.stats.Written += events
	return nil
}

// encode returns the line of e with its end.
func (l *Log) encode(e event.Event) ([]byte, error) {
	if l.opts.Format == Text {
		return append(EncodeText(e, l.opts.Meta), '\n'), nil
	}
	line, err := EncodeJSON(e, l.opts.Meta)
	return append(line, '\n'), err
}

// writeLines writes lines whole, or takes back what was written of them.
func (l *Log) writeLines(lines []byte) error {
	size, err := l.ready()
	if err != nil {
		return err
	}
	if l.opts.MaxSize > 0 && size > 0 && size+int64(len(lines)) > l.opts.MaxSize {
		if l.rotate() {
			size = 0
		}
	}
	if l.torn && size > 0 {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := l.writeTo(l.file, lines)
	if err == nil {
		l.torn = false
		l.stats.Bytes += uint64(n)
		return nil
	}
	if n > 0 {
		// The file may be at its limit, but cutting it needs no space.
		// Nobody else appends to it, unless its size says so.
		info, statErr := l.file.Stat()
		if statErr != nil || info.Size() != size+int64(n) || l.file.Truncate(size) != nil {
			l.torn = true
		}
	}
	return err
}

// ready returns the size of the file that is open now. A file that was
// removed, with its directory or alone, is created again. One that was
// only renamed is written on: logrotate tells when to reopen.
func (l *Log) ready() (size int64, err error) {
	if l.file != nil {
		info, err := l.file.Stat()
		if err == nil && links(info) > 0 {
			return info.Size(), nil
		}
	}
	if err := l.open(); err != nil {
		return 0, err
	}
	info, err := l.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func links(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}
