// SPDX-License-Identifier: MIT

// Package safefile reads and replaces small state files that other
// programs, other shells and crashes may get at: reads are bounded and
// take regular files only, and a replacement is complete or does not
// happen. It knows nothing of what the files hold.
package safefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

var (
	// ErrNotRegular is wrapped by the error for a path that names a
	// directory, FIFO, socket or device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge is wrapped by the error for a file over the caller's
	// limit.
	ErrTooLarge = errors.New("file too large")
)

// Open opens a regular file for reading. It never waits for the other end
// of a FIFO or for a device. The caller closes the file. Errors wrap
// ErrNotRegular or those of package os, such as fs.ErrNotExist.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		if errors.Is(err, syscall.ENXIO) { // what open says of a socket
			return nil, notRegular(path)
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read returns the content of a regular file of at most max bytes. A
// larger one is refused by its size alone, before anything is read.
// Errors are those of Open, or wrap ErrTooLarge.
func Read(path string, max int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > max {
		return nil, tooLarge(path, max)
	}
	// The size is only a hint: the file may grow while it is read, and
	// those of /proc say zero.
	data := make([]byte, 0, info.Size()+512)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > max {
			return nil, tooLarge(path, max)
		}
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

func notRegular(path string) error {
	return fmt.Errorf("read %q: %w", path, ErrNotRegular)
}

func tooLarge(path string, max int64) error {
	return fmt.Errorf("read %q: %w: more than %d bytes", path, ErrTooLarge, max)
}
