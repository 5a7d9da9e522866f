// SPDX-License-Identifier: MIT

package eventlog

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// packer compresses rotated files, one at a time, beside the writing. A
// nil packer does nothing.
type packer struct {
	log    *Log
	signal chan struct{} // holds a token while there may be work
	cancel context.CancelFunc
	done   chan struct{}
}

func startPacker(l *Log) *packer {
	ctx, cancel := context.WithCancel(context.Background())
	p := &packer{log: l, signal: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

func (p *packer) wake() {
	if p == nil {
		return
	}
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// stop ends the packer, in the middle of a file if need be, and waits.
func (p *packer) stop() {
	if p == nil {
		return
	}
	p.cancel()
	<-p.done
}

func (p *packer) run(ctx context.Context) {
	defer close(p.done)
	_ = os.Remove(p.log.opts.Path + tmpSuffix) // left by a crash; if it stays, pack says so
	var state trouble
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.signal:
		}
		err := p.packAll(ctx)
		var reports []string
		switch {
		case ctx.Err() != nil:
			return
		case err != nil: // tried again at the next rotation
			reports = state.failed(nil, "event log: compress: "+err.Error())
		default:
			reports = state.worked(nil, "event log: compressed again")
		}
		for _, r := range reports {
			p.log.opts.Report(r)
		}
	}
}

// packAll compresses every rotated file that is not, oldest first.
func (p *packer) packAll(ctx context.Context) error {
	for {
		src, err := p.next()
		if src == nil || err != nil {
			return err
		}
		err = p.pack(ctx, src)
		src.Close()
		if err != nil {
			return err
		}
	}
}

// next opens the oldest rotated file that is not compressed, or nil.
func (p *packer) next() (*os.File, error) {
	l := p.log
	l.mu.Lock()
	defer l.mu.Unlock()
	files, err := rotatedFiles(l.opts.Path)
	if err != nil {
		return nil, err
	}
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].packed {
			continue
		}
		f, err := os.OpenFile(files[i].path, os.O_RDONLY|syscall.O_NOFOLLOW|nonBlock, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if l.file != nil && sameFile(f, l.file) { // renamed by others, still written to
			f.Close()
			continue
		}
		return f, nil
	}
	return nil, nil
}

// pack writes a compressed copy and puts it in the place of src, which may
// have moved up or be gone by then. A crash leaves src and at most a
// temporary file, or both complete versions; the reader takes src, and the
// next run starts anew.
func (p *packer) pack(ctx context.Context, src *os.File) (err error) {
	path := p.log.opts.Path
	tmp := path + tmpSuffix
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp) // what cannot be removed now is at the next try
		}
	}()
	if err := writePacked(ctx, tmp, filepath.Base(path), src); err != nil {
		return err
	}

	l := p.log
	l.mu.Lock()
	defer l.mu.Unlock()
	files, err := rotatedFiles(path)
	if err != nil {
		return err
	}
	info, err := src.Stat()
	if err != nil {
		return err
	}
	for _, f := range files {
		now, err := os.Lstat(f.path)
		if f.packed || err != nil || !os.SameFile(info, now) {
			continue
		}
		if err := os.Rename(tmp, f.path+gzSuffix); err != nil {
			return err
		}
		return os.Remove(f.path)
	}
	return os.Remove(tmp) // rotated out of existence meanwhile
}

// writePacked compresses src into a new file with src's time and owner.
func writePacked(ctx context.Context, tmp, name string, src *os.File) (err error) {
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if err := dst.Chmod(fileMode); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = dst.Chown(int(st.Uid), int(st.Gid)) // as in moveAway
	}
	z := gzip.NewWriter(dst)
	z.Name, z.ModTime = name, info.ModTime()
	if _, err := io.Copy(z, contextReader{ctx, src}); err != nil {
		return fmt.Errorf("compress %q: %w", src.Name(), cause(err))
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("compress %q: %w", src.Name(), cause(err))
	}
	if err := dst.Sync(); err != nil {
		return err
	}
	return os.Chtimes(tmp, info.ModTime(), info.ModTime())
}

// contextReader stops reading when ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func sameFile(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}
