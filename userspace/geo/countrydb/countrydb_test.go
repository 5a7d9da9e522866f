// SPDX-License-Identifier: MIT

package countrydb

import (
	"errors"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"time"
)

var testDate = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

type entry struct{ prefix, code string }

func mustEncode(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b Builder
	for _, e := range entries {
		if err := b.Add(netip.MustParsePrefix(e.prefix), e.code); err != nil {
			t.Fatal(err)
		}
	}
	data, err := b.Encode(testDate)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLookup(t *testing.T) {
	data := mustEncode(t,
		entry{"0.0.0.0/32", "AA"},
		entry{"192.0.2.0/25", "GB"},
		entry{"192.0.2.128/25", "GB"},
		entry{"198.51.100.0/26", "DE"},
		entry{"198.51.100.64/26", "FR"},
		entry{"203.0.113.0/25", ""},
		entry{"255.255.255.255/32", "ZA"},
		entry{"2001:db8::/33", "NO"},
		entry{"2001:db8:8000:1::/127", "SE"},
		entry{"2001:db8:8000:1::2/127", "FI"},
		entry{"ffff:ffff:ffff:ffff::/64", "ZA"},
	)
	db, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !db.Built().Equal(testDate) {
		t.Errorf("built %v, want %v", db.Built(), testDate)
	}
	for _, row := range []struct{ addr, code, network string }{
		{"0.0.0.0", "AA", "0.0.0.0/32"},
		{"0.0.0.1", "", "0.0.0.1/32"},
		{"192.0.1.255", "", "192.0.0.0/23"},
		{"192.0.2.0", "GB", "192.0.2.0/24"},
		{"192.0.2.255", "GB", "192.0.2.0/24"},
		{"192.0.3.0", "", "192.0.3.0/24"},
		{"::ffff:192.0.2.7", "GB", "192.0.2.0/24"},
		{"198.51.100.1", "DE", "198.51.100.0/26"},
		{"198.51.100.64", "FR", "198.51.100.64/26"},
		{"198.51.100.128", "", "198.51.100.128/25"},
		{"203.0.113.1", "", "200.0.0.0/5"},
		{"255.255.255.254", "", "255.255.255.254/32"},
		{"255.255.255.255", "ZA", "255.255.255.255/32"},
		{"::", "", "::/3"},
		{"2001:db8::1", "NO", "2001:db8::/33"},
		{"fe80::1%eth0", "", "fe00::/8"},
		{"2001:db8:8000:1::1", "SE", "2001:db8:8000:1::/64"},
		{"2001:db8:8000:1::3", "SE", "2001:db8:8000:1::/64"},
		{"2001:db8:8000:2::", "", "2001:db8:8000:2::/63"},
		{"ffff:ffff:ffff:ffff::1", "ZA", "ffff:ffff:ffff:ffff::/64"},
	} {
		code, network := db.Lookup(netip.MustParseAddr(row.addr))
		if code != row.code || network.String() != row.network {
			t.Errorf("%s: %q in %v, want %q in %s", row.addr, code, network, row.code, row.network)
		}
	}
	if code, network := db.Lookup(netip.Addr{}); code != "" || network.IsValid() {
		t.Errorf("zero address: %q in %v, want nothing", code, network)
	}
}

func TestWholeSpace(t *testing.T) {
	db, err := Decode(mustEncode(t, entry{"0.0.0.0/0", "AA"}, entry{"::/0", "BB"}))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"192.0.2.1": "AA in 0.0.0.0/0", "2001:db8::1": "BB in ::/0"} {
		code, network := db.Lookup(netip.MustParseAddr(addr))
		if got := code + " in " + network.String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestBuilderRefuses(t *testing.T) {
	var b Builder
	if err := b.Add(netip.MustParsePrefix("198.51.100.0/24"), "DE"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []entry{{"192.0.2.0/24", "GB"}, {"198.51.100.128/25", "GB"}, {"203.0.113.0/24", "GBR"}} {
		if b.Add(netip.MustParsePrefix(bad.prefix), bad.code) == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestDecodeDamaged(t *testing.T) {
	data := mustEncode(t, entry{"192.0.2.0/24", "GB"}, entry{"2001:db8::/32", "NO"})
	whole, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := Decode(data[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("first %d bytes: %v, want %v", n, err, ErrDamaged)
		}
	}
	for i := 10; i < len(data); i++ { // past the gzip header, which has bytes without meaning
		damaged := append([]byte(nil), data...)
		damaged[i] ^= 0x10
		got, err := Decode(damaged)
		// A few bits are padding: then nothing else may have changed.
		if err == nil && reflect.DeepEqual(got, whole) {
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d flipped: %v, want %v", i, err, ErrDamaged)
		}
	}
}

func TestBuiltIn(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	db, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	v4, v6 := db.Spans()
	t.Logf("%d bytes packed, opened in %v, %d bytes of heap, %d+%d spans, built %v",
		len(packed), took, held, v4, v6, db.Built().Format(time.DateOnly))
	if held > 8<<20 {
		t.Errorf("holds %d bytes of heap, want at most 8 MiB", held)
	}
	if len(packed) > 1<<20 {
		t.Errorf("%d bytes in the repository, want at most 1 MiB", len(packed))
	}
	if n := len(db.Countries()); n < 230 {
		t.Errorf("%d countries, want the world", n)
	}
	// Registries' own addresses: these do not move. Look-ups only, no
	// packet is sent to them.
	for addr, want := range map[string]string{
		"193.0.6.139":       "NL", // RIPE NCC
		"2001:67c:2e8::1":   "NL",
		"133.11.0.1":        "JP", // University of Tokyo
		"2001:500:88:200::": "US", // ICANN
	} {
		if got, _ := db.Lookup(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	runtime.KeepAlive(db)
}

func BenchmarkLookup(b *testing.B) {
	db, err := BuiltIn()
	if err != nil {
		b.Fatal(err)
	}
	for _, addr := range []string{"193.0.6.139", "2001:67c:2e8::1"} {
		a := netip.MustParseAddr(addr)
		b.Run(addr, func(b *testing.B) {
			for b.Loop() {
				db.Lookup(a)
			}
		})
	}
}

func BenchmarkBuiltIn(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := BuiltIn(); err != nil {
			b.Fatal(err)
		}
	}
}
