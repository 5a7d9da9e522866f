// SPDX-License-Identifier: MIT

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"denmap/userspace/geo/countrydb"
)

func mustWriteMMDB(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "country ipvAll", IncludeReservedNetworks: true, BuildEpoch: 1_700_000_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, code := range map[string]string{"192.0.2.0/24": "GB", "198.51.100.0/24": "DE", "2001:db8::/48": "NO"} {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, mmdbtype.Map{"country_code": mmdbtype.String(code)}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "country.mmdb")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := tree.WriteTo(file); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPack(t *testing.T) {
	packed, err := pack(mustWriteMMDB(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := countrydb.Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(db.Countries(), " "); got != "GB DE NO" {
		t.Errorf("countries %q, want %q", got, "GB DE NO")
	}
	if got := db.Built().Unix(); got != 1_700_000_000 {
		t.Errorf("built at %d", got)
	}
}

func TestRefuses(t *testing.T) {
	mmdb := mustWriteMMDB(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "table")
	newer := filepath.Join(dir, "newer")
	if err := os.WriteFile(newer, mustBuiltIn(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"too small", []string{"-o", out, mmdb}, "far too small"},
		{"older than the old one", []string{"-old", newer, "-o", out, mmdb}, "before the old one"},
		{"not a database", []string{"-o", out, newer}, "open"},
		{"no output", []string{mmdb}, "usage"},
	} {
		err := run(row.args, new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a table was written", row.name)
		}
	}
}

func mustBuiltIn(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "countries.bin.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
