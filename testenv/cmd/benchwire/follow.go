// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv"
)

// readLine is a line of the event log and when it could be read.
type readLine struct {
	at time.Time
	testenv.LogLine
}

// follower reads a log as soon as it grows, and keeps what it read for later:
// taking lines apart would cost the daemon processor time.
type follower struct {
	path   string
	watch  int // inotify
	file   *os.File
	chunks []chunk
	last   atomic.Int64 // when it grew, in Unix ns
	quit   chan struct{}
	done   chan error
}

// chunk is what one read returned.
type chunk struct {
	at   time.Time
	data []byte
}

// follow begins at the end of the log.
func follow(path string) (f *follower, err error) {
	f = &follower{path: path, quit: make(chan struct{}), done: make(chan error, 1)}
	if f.file, err = os.Open(path); err != nil {
		return nil, fmt.Errorf("follow log: %w", err)
	}
	if _, err := f.file.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("follow log: %w", err)
	}
	if f.watch, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err != nil {
		return nil, fmt.Errorf("follow log: %w", err)
	}
	// Of the directory, which also tells when the next file is there: a watch
	// of the file alone would sleep through its first lines.
	if _, err := unix.InotifyAddWatch(f.watch, filepath.Dir(path), unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		return nil, fmt.Errorf("follow log %q: %w", path, err)
	}
	go func() {
		runtime.LockOSThread()
		err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -20) // or its being late would count
		f.done <- errors.Join(err, f.run())
	}()
	return f, nil
}

func (f *follower) run() error {
	buffer, events := make([]byte, 1<<20), make([]byte, 4096)
	for {
		n, err := f.file.Read(buffer)
		if n > 0 {
			now := time.Now()
			f.chunks = append(f.chunks, chunk{now, bytes.Clone(buffer[:n])})
			f.last.Store(now.UnixNano())
			continue
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("follow log: %w", err)
		}
		if next, err := f.rotated(); err != nil {
			return err
		} else if next {
			continue
		}
		select {
		case <-f.quit:
			return nil
		default:
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(f.watch), Events: unix.POLLIN}}, 50); err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for log: %w", err)
		}
		if _, err := unix.Read(f.watch, events); err != nil && err != unix.EAGAIN {
			return fmt.Errorf("wait for log: %w", err)
		}
	}
}

// rotated goes on with the next file once all of this one is read.
func (f *follower) rotated() (bool, error) {
	here, err := f.file.Stat()
	if err != nil {
		return false, fmt.Errorf("follow log: %w", err)
	}
	there, err := os.Stat(f.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && os.SameFile(here, there) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("follow log: %w", err)
	}
	// Nothing is written to a file after it was renamed, but perhaps since
	// it was read.
	rest, err := io.ReadAll(f.file)
	if err != nil {
		return false, fmt.Errorf("follow log: %w", err)
	}
	f.chunks = append(f.chunks, chunk{time.Now(), rest})
	next, err := os.Open(f.path)
	if err != nil {
		return false, fmt.Errorf("follow log: %w", err)
	}
	f.file.Close()
	f.file = next
	return true, nil
}

// awaitQuiet returns when the log has not grown for so long.
func (f *follower) awaitQuiet(d time.Duration) {
	for began := time.Now(); ; {
		quiet := min(time.Since(time.Unix(0, f.last.Load())), time.Since(began))
		if quiet >= d {
			return
		}
		time.Sleep(d - quiet)
	}
}

// end reads to the end and returns all lines.
func (f *follower) end() (lines []readLine, err error) {
	close(f.quit)
	if err := errors.Join(<-f.done, unix.Close(f.watch), f.file.Close()); err != nil {
		return nil, err
	}
	var begun []byte
	for _, c := range f.chunks {
		begun = append(begun, c.data...)
		for {
			line, rest, whole := bytes.Cut(begun, []byte("\n"))
			if !whole {
				break
			}
			parsed := readLine{at: c.at}
			if err := json.Unmarshal(line, &parsed.LogLine); err != nil {
				return nil, fmt.Errorf("read log line: %w", err)
			}
			lines, begun = append(lines, parsed), rest
		}
	}
	return lines, nil
}

// fileSystem names that of a directory.
func fileSystem(dir string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("look at file system of %q: %w", dir, err)
	}
	names := map[uint32]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay"}
	if name := names[uint32(st.Type)]; name != "" {
		return name, nil
	}
	return fmt.Sprintf("type %#x", uint32(st.Type)), nil
}
