// SPDX-License-Identifier: MIT

// Command pack turns a country MMDB in the layout of ip-location-db into
// the table that countrydb embeds:
//
//	pack [-old TABLE] -o TABLE FILE.mmdb
//
// It prints the dates of the old and of the new table, and writes nothing
// if the new data is older than the old or too small to be the world.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
	"github.com/oschwald/maxminddb-golang/v2"

	"denmap/userspace/geo/countrydb"
)

// What a complete database has at the very least. One that shrinks below
// is cut short or something else altogether.
const (
	minCountries = 230
	minSpans     = 100_000
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	out := flags.String("o", "", "write the table to this `file`")
	old := flags.String("old", "", "compare with the table in this `file`, if it exists")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" || flags.NArg() != 1 {
		return errors.New("usage: pack [-old TABLE] -o TABLE FILE.mmdb")
	}
	packed, err := pack(flags.Arg(0))
	if err != nil {
		return err
	}
	db, err := countrydb.Decode(packed)
	if err != nil {
		return fmt.Errorf("read back table: %w", err)
	}
	if err := compare(db, *old, stdout); err != nil {
		return err
	}
	v4, v6 := db.Spans()
	fmt.Fprintf(stdout, "new: %s, %d countries, %d IPv4 and %d IPv6 spans, %d bytes\n",
		db.Built().Format("2006-01-02"), len(db.Countries()), v4, v6, len(packed))
	if len(db.Countries()) < minCountries || min(v4, v6) < minSpans {
		return errors.New("refuse table: far too small")
	}
	return renameio.WriteFile(*out, packed, 0o644)
}

func pack(path string) ([]byte, error) {
	reader, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	defer reader.Close()
	// Reader.Verify would refuse these files for having no description;
	// the loop below visits every network and decodes every record.
	var b countrydb.Builder
	for result := range reader.Networks() {
		var record struct {
			Code string `maxminddb:"country_code"`
		}
		if err := result.Decode(&record); err != nil {
			return nil, fmt.Errorf("read %q: %w", path, err)
		}
		if err := b.Add(result.Prefix(), record.Code); err != nil {
			return nil, fmt.Errorf("read %q: %w", path, err)
		}
	}
	return b.Encode(reader.Metadata.BuildTime())
}

func compare(db *countrydb.DB, old string, stdout io.Writer) error {
	data, err := os.ReadFile(old)
	if old == "" || errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(stdout, "old: none")
		return nil
	}
	if err != nil {
		return fmt.Errorf("read old table: %w", err)
	}
	before, err := countrydb.Decode(data)
	if err != nil {
		return fmt.Errorf("read old table: %w", err)
	}
	fmt.Fprintf(stdout, "old: %s\n", before.Built().Format("2006-01-02"))
	if db.Built().Before(before.Built()) {
		return fmt.Errorf("refuse table: built %s, before the old one", db.Built().Format("2006-01-02"))
	}
	return nil
}
