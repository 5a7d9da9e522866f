// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"denmap/userspace/account"
)

const (
	nonBlock = syscall.O_NONBLOCK

	fileMode = 0o640
	dirMode  = 0o750

	gzSuffix = ".gz"
	// tmpSuffix marks a file that is being compressed. It matches no name
	// that a rotated file can have.
	tmpSuffix = ".gz.tmp"
)

// rotatedFile is one file beside the current one: PATH.1, PATH.2.gz, ...
type rotatedFile struct {
	path   string
	number int // 1 is the newest
	packed bool
}

// rotatedFiles lists the regular rotated files of a log, newest first. One
// that is there both packed and not is listed both ways, unpacked first.
// A directory that is missing has none.
func rotatedFiles(path string) ([]rotatedFile, error) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list rotated logs: %w", err)
	}
	var files []rotatedFile
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base+".")
		if !ok || !e.Type().IsRegular() {
			continue
		}
		digits, packed := strings.CutSuffix(rest, gzSuffix)
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || strconv.Itoa(n) != digits {
			continue
		}
		files = append(files, rotatedFile{dir + e.Name(), n, packed})
	}
	slices.SortFunc(files, func(a, b rotatedFile) int {
		if a.number != b.number {
			return a.number - b.number
		}
		return len(a.path) - len(b.path)
	})
	return files, nil
}

func rotatedPath(path string, number int, packed bool) string {
	name := path + "." + strconv.Itoa(number)
	if packed {
		name += gzSuffix
	}
	return name
}

// shift makes room for a new PATH.1: what is there moves one up, and
// nothing stays above keep. Gaps are used up first. It returns with the
// files in order also when a step fails.
func shift(path string, keep int) error {
	files, err := rotatedFiles(path)
	if err != nil {
		return err
	}
	run := 0 // files 1..run have no gap
	for _, f := range files {
		if f.number == run+1 {
			run++
		}
	}
	for _, f := range slices.Backward(files) {
		switch {
		case f.number > keep || f.number == keep && run >= keep:
			err = os.Remove(f.path)
		case f.number <= run:
			err = os.Rename(f.path, rotatedPath(path, f.number+1, f.packed))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate log: %w", err)
		}
		err = nil
	}
	return nil
}

// openCurrent opens the log for appending and creates it, and its
// directory, if they are missing. An existing file keeps its mode.
func openCurrent(path string) (*os.File, error) {
	if err := account.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, fmt.Errorf("open log %q: %w", path, err)
	}
	// O_NONBLOCK: a pipe in the log's place must not hang the start.
	const flags = os.O_RDWR | os.O_APPEND | nonBlock
	f, err := os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, fileMode)
	created := err == nil
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, flags, 0)
		if errors.Is(err, fs.ErrNotExist) { // removed in between, or a dangling link
			f, err = os.OpenFile(path, flags|os.O_CREATE, fileMode)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open log %q: %w", path, cause(err))
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("not a regular file")
	case created:
		err = errors.Join(account.HandOver(f), f.Chmod(fileMode)) // whatever the umask is
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open log %q: %w", path, cause(err))
	}
	return f, nil
}

// cause drops the operation and path that a PathError repeats.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
