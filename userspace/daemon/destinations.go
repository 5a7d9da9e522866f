// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"fmt"
	"os"
	"reflect"

	"golang.org/x/sys/unix"

	"denmap/userspace/config"
	"denmap/userspace/eventlog"
)

func (o *outputs) openLog(c config.Log) (*eventlog.Log, error) {
	return eventlog.Open(eventlog.Options{
		Path: c.Path, Format: eventlog.Format(c.Format), Meta: o.opts.Meta,
		MaxSize: c.MaxSize, Keep: c.Keep, Compress: c.Compress,
		Report: o.tell.say, Now: o.opts.Clock.Now, NewID: o.opts.NewID,
	})
}

// room is what a log must have space for: a few events.
const room = 4096

// checkRoom reports whether a file can grow: on a full disk a file can
// still be opened. It asks for space beyond the end, which changes nothing
// of the content and is used by the lines that follow.
func checkRoom(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), room)
	// File systems that cannot reserve space say so with other errors.
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("write log %q: %w", path, err)
	}
	return nil
}

func (o *outputs) openAlso(c config.Log) eventlog.Sink {
	so := eventlog.SocketOptions{Meta: o.opts.Meta, Report: o.tell.say, Now: o.opts.Clock.Now}
	var sinks []eventlog.Sink
	for _, where := range c.Also {
		switch where {
		case config.Journal:
			sinks = append(sinks, eventlog.OpenJournal(so))
		case config.Syslog:
			sinks = append(sinks, eventlog.OpenSyslog(so))
		}
	}
	return eventlog.Multi(sinks...)
}

// apply changes over to another configuration. What cannot be opened
// leaves in force what was.
func (o *outputs) apply(c config.Config) {
	old := o.config
	o.config = c
	o.applyLog(old.Log, c.Log)
	o.places.configure(c)
	o.people.configure(c)
}

func (o *outputs) applyLog(old, c config.Log) {
	if reflect.DeepEqual(old, c) {
		if err := o.log.Reopen(); err != nil {
			o.tell.say(err.Error() + "; the old file is written on")
		}
		return
	}
	log, err := o.openLog(c)
	if err == nil {
		if err = checkRoom(c.Path); err != nil {
			err = errors.Join(err, log.Close())
		}
	}
	if err != nil {
		o.config.Log = old
		o.tell.say(err.Error() + "; the old log is written on")
		return
	}
	o.closeSink("event log", o.log)
	o.log = log
	o.closeSink("log", o.also)
	o.also = o.openAlso(c)
}

func (o *outputs) closeSink(name string, s eventlog.Sink) {
	if err := s.Close(); err != nil {
		o.tell.say(fmt.Sprintf("close %s: %v", name, err))
	}
}
