// SPDX-License-Identifier: MIT

package history

import (
	"database/sql"
	"errors"
	"fmt"
)

// additions make each version of the schema from the one before; the first
// begins with an empty file.
var additions = [...]string{schemaSQL, placeIndexSQL}

const (
	// schemaVersion is what this package reads and writes. A new version
	// adds what is missing on Open; one that is newer is left alone.
	schemaVersion = len(additions)

	// applicationID tells a history from any other SQLite file.
	applicationID = 0x444d4831 // "DMH1"
)

// The tables. Addresses are 16 bytes, IPv4 mapped, and bits count in them
// (IPv4 /32 is 128), so that all sources sort in one order. Times are in
// milliseconds since 1970, 0 for none. Kinds, tool, confidence and grade
// are the numbers of package event; action is the index into Actions().
//
// Each query has its index: it holds every column that the query filters
// by, so that rows are fetched only for what is returned.
const schemaSQL = `
CREATE TABLE schema_version (version INTEGER NOT NULL);

CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE scans (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	addr BLOB NOT NULL,
	bits INTEGER NOT NULL,
	destination BLOB,
	interface TEXT NOT NULL,
	first_ms INTEGER NOT NULL,
	last_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	kinds INTEGER NOT NULL,
	tool INTEGER NOT NULL,
	confidence INTEGER NOT NULL,
	transport TEXT NOT NULL,
	score INTEGER NOT NULL,
	threshold INTEGER NOT NULL,
	probes INTEGER NOT NULL,
	dropped INTEGER NOT NULL,
	distinct_ports INTEGER NOT NULL,
	ports BLOB NOT NULL,
	grade INTEGER NOT NULL,
	action INTEGER NOT NULL,
	enforced INTEGER NOT NULL,
	protected INTEGER NOT NULL,
	watched INTEGER NOT NULL,
	ban_until_ms INTEGER NOT NULL,
	reason TEXT NOT NULL,
	country TEXT NOT NULL,
	country_name TEXT NOT NULL,
	city TEXT NOT NULL,
	latitude REAL,
	longitude REAL,
	asn INTEGER NOT NULL,
	as_name TEXT NOT NULL,
	special TEXT NOT NULL,
	place_source TEXT NOT NULL,
	group_id TEXT NOT NULL, -- event.Group; its sources are 17 bytes each: address and bits
	group_size INTEGER NOT NULL,
	group_sources BLOB NOT NULL,
	group_proven BLOB NOT NULL,
	peak INTEGER NOT NULL -- the larger of score and distinct_ports
);
CREATE INDEX scans_last ON scans (last_ms, seq, first_ms, kinds, country, action, addr, peak);
CREATE INDEX scans_addr ON scans (addr, bits, last_ms, seq, first_ms, kinds, country, action, peak);
CREATE INDEX scans_country ON scans (country, addr, last_ms, first_ms, action);
CREATE INDEX scans_open ON scans (last_ms) WHERE ended_ms = 0;

CREATE TABLE bans (
	seq INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	addr BLOB NOT NULL,
	bits INTEGER NOT NULL,
	grade INTEGER NOT NULL,
	since_ms INTEGER NOT NULL,
	until_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	reason TEXT NOT NULL,
	end_reason TEXT NOT NULL,
	interface TEXT NOT NULL,
	dropped INTEGER NOT NULL,
	country TEXT NOT NULL
);
CREATE INDEX bans_since ON bans (since_ms, seq, ended_ms);
CREATE INDEX bans_addr ON bans (addr, bits, since_ms);
CREATE INDEX bans_open ON bans (until_ms) WHERE ended_ms = 0;

CREATE TABLE notes (
	seq INTEGER PRIMARY KEY,
	at_ms INTEGER NOT NULL,
	end_ms INTEGER NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL, -- list, interface or stage
	mode TEXT NOT NULL,    -- of the interface, or the type of list change
	path TEXT NOT NULL,
	added INTEGER NOT NULL, -- entries, or events lost
	removed INTEGER NOT NULL,
	total INTEGER NOT NULL,
	reason TEXT NOT NULL
);
CREATE INDEX notes_at ON notes (at_ms);

-- What became known in each minute, and in each hour, since 1970.
CREATE TABLE minutes (
	at INTEGER PRIMARY KEY,
	probes INTEGER NOT NULL, scans INTEGER NOT NULL, bans INTEGER NOT NULL, would_ban INTEGER NOT NULL,
	passed INTEGER NOT NULL, dropped INTEGER NOT NULL, lost INTEGER NOT NULL
);
CREATE TABLE hours (
	at INTEGER PRIMARY KEY,
	probes INTEGER NOT NULL, scans INTEGER NOT NULL, bans INTEGER NOT NULL, would_ban INTEGER NOT NULL,
	passed INTEGER NOT NULL, dropped INTEGER NOT NULL, lost INTEGER NOT NULL
);
`

// placeIndexSQL is for Places.
const placeIndexSQL = "CREATE INDEX scans_place ON scans (latitude, longitude, country, addr, last_ms, first_ms, action) WHERE latitude IS NOT NULL"

// errForeign is a database that is none of ours: it is handled as a
// damaged one.
var errForeign = errors.New("not a history of denmap")

// version returns the schema version of the open database, 0 if it is
// empty. Errors: errForeign, and SQLite's.
func version(db *sql.DB) (int, error) {
	var tables, ours, found int
	if err := db.QueryRow("SELECT count(*), sum(name = 'schema_version') FROM sqlite_schema").Scan(&tables, nullZero{&ours}); err != nil {
		return 0, err
	}
	if tables == 0 {
		return 0, nil
	}
	var id int
	if err := db.QueryRow("PRAGMA application_id").Scan(&id); err != nil {
		return 0, err
	}
	if ours == 0 || id != applicationID {
		return 0, errForeign
	}
	err := db.QueryRow("SELECT version FROM schema_version").Scan(&found)
	if errors.Is(err, sql.ErrNoRows) || err == nil && found < 1 {
		return 0, errForeign
	}
	return found, err
}

// prepare makes the open database one of this version.
func prepareSchema(db *sql.DB) error {
	found, err := version(db)
	switch {
	case err != nil:
		return err
	case found > schemaVersion:
		return fmt.Errorf("%w: schema %d, expected at most %d", ErrNewerSchema, found, schemaVersion)
	case found == schemaVersion:
		return nil
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	for _, text := range additions[found:] {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("DELETE FROM schema_version; INSERT INTO schema_version VALUES (?)", schemaVersion); err != nil {
		return err
	}
	return tx.Commit()
}

// nullZero scans NULL as zero.
type nullZero struct{ to *int }

// Scan implements sql.Scanner.
func (z nullZero) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*z.to = 0
	case int64:
		*z.to = int(v)
	default:
		return fmt.Errorf("%T: expected an integer", value)
	}
	return nil
}
