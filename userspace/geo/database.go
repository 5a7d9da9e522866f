// SPDX-License-Identifier: MIT

package geo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

// source is one thing that can be asked where an address is. Look-ups may
// wait for a disk.
type source interface {
	describe() Answer // without an answer: which database this is
	lookup(netip.Addr) (event.Place, netip.Prefix, error)
}

// database is an open MMDB file. Nobody closes one: the reader unmaps its
// file when the garbage collector finds that no look-up uses it any more,
// so that replacing a database never pulls the pages from under one.
type database struct {
	path   string
	about  Answer
	reader *maxminddb.Reader
	broken sync.Once // to report the first unreadable record only
	report func(string)
}

// stamp tells one state of a file from another. The change time is in it
// since tools like rsync set the modification time back.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino, s.mtime, s.ctime = st.Dev, st.Ino, st.Mtim, st.Ctim
	}
	return s
}

// openDatabase opens an MMDB file. With a cacheDir that can be written, a
// private copy is mapped instead of the file itself: see privateCopy.
func openDatabase(path, cacheDir string, report func(string)) (*database, stamp, error) {
	fail := func(err error) (*database, stamp, error) {
		return nil, stamp{}, fmt.Errorf("open database %q: %w", path, err)
	}
	// O_NONBLOCK: a FIFO in the list must not hang the daemon.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fail(cause(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fail(cause(err))
	}
	if !info.Mode().IsRegular() {
		return fail(errors.New("not a regular file"))
	}
	from := file
	if copied, err := privateCopy(file, info.Size(), cacheDir); err == nil {
		defer copied.Close()
		from = copied
	}
	db := &database{path: path, report: report}
	if db.reader, err = mapFile(from); err != nil {
		return fail(fmt.Errorf("not an intact MMDB file: %w", err))
	}
	if err := db.sample(); err != nil {
		return fail(fmt.Errorf("not an intact MMDB file: %w", err))
	}
	db.about = Answer{
		Database: filepath.Base(path), Path: path,
		Type: plain(db.reader.Metadata.DatabaseType), Built: buildTime(db.reader.Metadata),
	}
	after, err := file.Stat()
	if err != nil {
		return fail(cause(err))
	}
	if stampOf(after) != stampOf(info) {
		return fail(errors.New("it changed while it was read"))
	}
	return db, stampOf(info), nil
}

// privateCopy copies a database into an unnamed file in dir. The original
// may be overwritten in place (cp, rsync --inplace); mapped directly it
// would then change, or vanish, under the look-ups, and the old data
// could not stay in force. Pages of the copy are the page cache's, not
// the process's heap. Without a directory, or space, there is no copy.
func privateCopy(file *os.File, size int64, dir string) (*os.File, error) {
	if dir == "" {
		return nil, errors.ErrUnsupported
	}
	copied, err := os.CreateTemp(dir, ".geo-*.mmdb")
	if err != nil {
		return nil, err
	}
	err = os.Remove(copied.Name())
	if err == nil {
		var n int64
		n, err = io.Copy(copied, io.LimitReader(file, size))
		if err == nil && n != size {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		copied.Close()
		return nil, err
	}
	return copied, nil
}

// guard turns a fault into an error: reading a mapped page fails with
// SIGBUS when the disk does, or when somebody cut the file short. It is
// also the one place that recovers from panics: the reader must survive
// whatever is in a file, and a bug there must not end the protection.
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		if p := recover(); p != nil {
			*err = fmt.Errorf("unreadable: %v", p)
		}
		debug.SetPanicOnFault(before)
	}
}

func mapFile(file *os.File) (reader *maxminddb.Reader, err error) {
	defer guard(&err)()
	reader, err = maxminddb.Open(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, cause(err)
	}
	return reader, checkMetadata(reader.Metadata)
}

// checkMetadata refuses what the reader would take at its word.
func checkMetadata(m maxminddb.Metadata) error {
	switch {
	case m.BinaryFormatMajorVersion != 2:
		return fmt.Errorf("format version %d, want 2", m.BinaryFormatMajorVersion)
	case m.IPVersion != 4 && m.IPVersion != 6:
		return fmt.Errorf("IP version %d, want 4 or 6", m.IPVersion)
	case m.RecordSize != 24 && m.RecordSize != 28 && m.RecordSize != 32:
		return fmt.Errorf("record size %d, want 24, 28 or 32", m.RecordSize)
	}
	return nil
}

// sample looks up addresses all over the space. It finds a file of which
// a part is missing or foreign at once and in bounded time, which the
// library's own Verify, meant for builders, does not offer.
func (db *database) sample() error {
	for i := range 64 {
		v4 := netip.AddrFrom4([4]byte{byte(4 * i), byte(7 * i), byte(13 * i), 1})
		v6 := netip.AddrFrom16([16]byte{0x20 | byte(i>>3), byte(4 * i), byte(7 * i), byte(13 * i), 15: 1})
		for _, addr := range []netip.Addr{v4, v6} {
			if _, _, err := db.read(addr); err != nil {
				return err
			}
		}
	}
	return nil
}

func (db *database) describe() Answer { return db.about }

// buildTime is zero for times before 1970 or after 9999.
func buildTime(m maxminddb.Metadata) time.Time {
	if m.BuildEpoch == 0 || m.BuildEpoch > 253402300799 {
		return time.Time{}
	}
	return m.BuildTime().UTC()
}

// lookup asks the database; an address that it does not list gives an
// empty Place. The first unreadable record is reported.
func (db *database) lookup(addr netip.Addr) (event.Place, netip.Prefix, error) {
	place, network, err := db.read(addr)
	if err != nil {
		err = fmt.Errorf("read database %q: %w", db.path, err)
		db.broken.Do(func() { db.report(err.Error()) })
	}
	return place, network, err
}

func (db *database) read(addr netip.Addr) (place event.Place, network netip.Prefix, err error) {
	defer guard(&err)()
	if db.reader.Metadata.IPVersion == 4 && !addr.Is4() {
		return event.Place{}, netip.Prefix{}, nil
	}
	result := db.reader.Lookup(addr)
	if err := result.Err(); err != nil {
		return event.Place{}, netip.Prefix{}, err
	}
	if !result.Found() {
		return event.Place{}, netip.Prefix{}, nil
	}
	place, err = decode(result)
	if err != nil {
		return event.Place{}, netip.Prefix{}, err
	}
	return tidy(place), result.Prefix(), nil
}

// cause drops the operation and path that os puts in front of an error.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
