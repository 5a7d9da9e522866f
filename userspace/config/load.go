// SPDX-License-Identifier: MIT

package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	maxFile  = 1 << 20 // bytes of one file
	maxFiles = 256     // files in conf.d
)

// Load reads the file at path and the files of conf.d beside it, in the
// order of their names. The file may be missing if it is DefaultPath and
// named, which says that the user asked for this very file, is false.
//
// Problems in the files are an *Error; files that cannot be read are errors
// that wrap the cause, such as fs.ErrNotExist.
func Load(path string, named bool) (Config, error) {
	sources, err := Read(path, named)
	if err != nil {
		return Config{}, err
	}
	return Parse(sources)
}

// Read returns what Load would parse, in that order.
func Read(path string, named bool) ([]Source, error) {
	var sources []Source
	data, err := readFile(path)
	switch {
	case err == nil:
		sources = append(sources, Source{path, data})
	case !named && path == DefaultPath && errors.Is(err, fs.ErrNotExist):
	default:
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	extra, err := readDir(filepath.Join(filepath.Dir(path), "conf.d"))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return append(sources, extra...), nil
}

func readDir(dir string) ([]Source, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var sources []Source
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".yaml") || strings.HasPrefix(name, ".") {
			continue
		}
		if len(sources) == maxFiles {
			return nil, fmt.Errorf("%q: expected at most %d files", dir, maxFiles)
		}
		path := filepath.Join(dir, name)
		data, err := readFile(path)
		if err != nil {
			return nil, err
		}
		sources = append(sources, Source{path, data})
	}
	return sources, nil
}

// readFile reads a regular file of bounded size. Opening does not block on
// a FIFO, and what was opened is what is looked at.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: expected a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%q: expected at most 1 MiB", path)
	}
	return data, nil
}
