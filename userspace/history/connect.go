// SPDX-License-Identifier: MIT

package history

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"denmap/userspace/account"
)

const (
	fileMode fs.FileMode = 0o640 // as the event log: it says the same
	dirMode  fs.FileMode = 0o750

	// writeWait bounds how long the writer waits for readers when it wants
	// to empty the write-ahead log; nobody else writes.
	writeWait = 250 * time.Millisecond
	readWait  = 2 * time.Second

	maxReaders = 4
)

// dsn returns the data source name of a file. trusted_schema is off and
// defensive is on because the file may have been tampered with.
func dsn(path string, wait time.Duration, options url.Values) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	options.Set("_defensive", "1")
	options.Set("_dqs", "0")
	options.Set("_error_rc", "1")
	options.Set("_busy_timeout", fmt.Sprint(wait.Milliseconds()))
	options.Add("_pragma", "trusted_schema(0)")
	options.Add("_pragma", "cell_size_check(1)")
	options.Add("_pragma", "temp_store(2)") // in memory: no file besides ours
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String()
}

// connectWriter opens the file for writing, creating it if it is missing.
// The write-ahead log is emptied by hand (see bounds), so that its size is
// known.
func connectWriter(path string) (*sql.DB, error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	db, err := open(dsn(path, writeWait, url.Values{
		"_txlock": {"immediate"},
		// Kept in this order: the file format comes before the first write.
		"_pragma": {
			"auto_vacuum(2)", "journal_mode(wal)", "wal_autocheckpoint(0)",
			"journal_size_limit(0)", "synchronous(1)", "cache_size(-2000)",
		},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.Ping(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// connectReader opens the file for reading only.
func connectReader(path string) (*sql.DB, error) {
	db, err := open(dsn(path, readWait, url.Values{
		"mode":    {"ro"},
		"_pragma": {"query_only(1)", "cache_size(-2000)"},
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxReaders)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

func open(name string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// createFile makes an empty file with our mode, which the files beside it
// get too. It must not be called while SQLite has the file open: closing
// any descriptor of it would end SQLite's locks (fcntl(2)).
func createFile(path string) error {
	if err := account.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(account.HandOver(f), f.Close())
}

// code returns SQLite's primary result code of an error, 0 if it is none.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// isDamage reports whether the error says that the file is damaged.
func isDamage(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT:
		return true
	}
	return errors.Is(err, errForeign)
}

// isFull reports whether there is no room, on the disk or below the bound.
func isFull(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		return true // the index of its log could not grow
	}
	return code(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// isPassing reports whether the same statement may work later: the trouble
// is with the disk and not with what is stored.
func isPassing(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_PROTOCOL:
		return true
	}
	var errno syscall.Errno
	return errors.As(err, &errno) || errors.Is(err, errWaiting) || errors.Is(err, ErrNewerSchema)
}
