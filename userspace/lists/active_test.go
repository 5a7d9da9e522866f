// SPDX-License-Identifier: MIT

package lists

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestActive(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"sorted, IPv4 first", "2001:db8::/32\n192.0.2.9\n192.0.2.0/24\n", "192.0.2.0/24 192.0.2.9 2001:db8::/32"},
		{"last line counts", "192.0.2.1\n192.0.2.1/32 watch\n", "192.0.2.1w"},
		{"expired", "192.0.2.1 until=2026-01-02T03:04:05Z\n192.0.2.2 until=2026-01-02T03:04:06Z\n", "192.0.2.2"},
		{"expired repetition uncovers the line before", "192.0.2.1 watch\n192.0.2.1 until=2025-01-01T00:00:00Z\n", "192.0.2.1w"},
	}
	for _, tt := range tests {
		if got := prefixes(mustParse(t, Allow, tt.in).Active(testNow)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestDiff(t *testing.T) {
	tests := []struct{ old, updated, added, removed string }{
		{"", "", "", ""},
		{"", "192.0.2.1\n192.0.2.2", "192.0.2.1 192.0.2.2", ""},
		{"192.0.2.1\n192.0.2.2", "", "", "192.0.2.1 192.0.2.2"},
		{"192.0.2.1\n192.0.2.3", "192.0.2.2\n192.0.2.3", "192.0.2.2", "192.0.2.1"},
		{"192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/25", "192.0.2.0/24"},
		{"192.0.2.1", "192.0.2.1 watch", "192.0.2.1w", ""},
		{"192.0.2.1 watch", "192.0.2.1", "192.0.2.1", ""},
		{"192.0.2.1 # a", "\n192.0.2.1 until=2030-01-01T00:00:00Z # b", "", ""},
		{"2001:db8::/32\n192.0.2.1", "198.51.100.1\n2001:db8::/32", "198.51.100.1", "192.0.2.1"},
	}
	for _, tt := range tests {
		added, removed := Diff(mustParse(t, Allow, tt.old).Active(testNow), mustParse(t, Allow, tt.updated).Active(testNow))
		if prefixes(added) != tt.added || prefixes(removed) != tt.removed {
			t.Errorf("Diff(%q, %q) = %s; %s, want %s; %s", tt.old, tt.updated,
				prefixes(added), prefixes(removed), tt.added, tt.removed)
		}
	}
}

// Applying a difference to a table that holds the old list must give the
// new one, for any two lists.
func TestDiffApplied(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		old := mustParse(t, Allow, randomList(r, r.IntN(30))).Active(testNow)
		updated := mustParse(t, Allow, randomList(r, r.IntN(30))).Active(testNow)
		table := map[netip.Prefix]bool{}
		for _, e := range old {
			table[e.Prefix] = e.Watch
		}
		added, removed := Diff(old, updated)
		for _, e := range added {
			table[e.Prefix] = e.Watch
		}
		for _, e := range removed {
			if _, ok := table[e.Prefix]; !ok {
				t.Fatalf("%v is removed and was not there", e.Prefix)
			}
			delete(table, e.Prefix)
		}
		if len(table) != len(updated) {
			t.Fatalf("table has %d entries, want %d", len(table), len(updated))
		}
		for _, e := range updated {
			if watch, ok := table[e.Prefix]; !ok || watch != e.Watch {
				t.Fatalf("%v: %v, %v, want watch %v", e.Prefix, ok, watch, e.Watch)
			}
		}
	}
}

// randomList has n entries from a small space, so that they repeat and
// contain each other.
func randomList(r *rand.Rand, n int) string {
	var s strings.Builder
	for range n {
		if r.IntN(3) == 0 {
			bits := 120 + r.IntN(9)
			addr := netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", r.IntN(16)))
			s.WriteString(netip.PrefixFrom(addr, bits).Masked().String())
		} else {
			bits := 26 + r.IntN(7)
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(16))})
			s.WriteString(FormatPrefix(netip.PrefixFrom(addr, bits).Masked()))
		}
		switch r.IntN(6) {
		case 0:
			s.WriteString(" until=2025-01-01T00:00:00Z")
		case 1:
			s.WriteString(" until=2030-01-01T00:00:00Z")
		}
		if r.IntN(4) == 0 {
			s.WriteString(" watch")
		}
		s.WriteString([]string{"\n", "  # note\n", "\r\n", " ; x\n\n# between\n"}[r.IntN(4)])
	}
	return s.String()
}

func TestNextExpiry(t *testing.T) {
	list := mustParse(t, Deny, "192.0.2.1\n192.0.2.2 until=2026-01-05T00:00:00Z\n"+
		"192.0.2.3 until=2026-01-03T00:00:00Z\n192.0.2.4 until=2026-01-02T03:04:05Z\n")
	if got, want := NextExpiry(list.Entries, testNow), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("NextExpiry = %v, want %v", got, want)
	}
	if got := NextExpiry(list.Entries[:1], testNow); !got.IsZero() {
		t.Errorf("NextExpiry of lasting entries = %v, want none", got)
	}
}

func TestLookup(t *testing.T) {
	list := mustParse(t, Allow, "192.0.2.0/24\n192.0.2.0/28 watch\n192.0.2.1 until=2025-01-01T00:00:00Z\n192.0.2.0/28 # again\n::/0\n")
	tests := []struct {
		in   string
		line int
	}{
		{"192.0.2.1", 4}, {"192.0.2.16", 1}, {"192.0.2.0/24", 1}, {"192.0.0.0/16", 0}, {"198.51.100.1", 0}, {"2001:db8::1", 5},
	}
	for _, tt := range tests {
		e, ok := list.Lookup(mustPrefix(t, tt.in), testNow)
		if ok != (tt.line > 0) || e.Line != tt.line {
			t.Errorf("Lookup(%s) = line %d, %v, want line %d", tt.in, e.Line, ok, tt.line)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"none", "192.0.2.1\n192.0.2.2\n2001:db8::1\n", nil},
		{"duplicate", "192.0.2.1\n192.0.2.1/32\n", []string{"line 2: 192.0.2.1 is on line 1 too; the later line counts"}},
		{"shadowed", "192.0.2.1\n192.0.2.0/24\n", []string{"line 1: 192.0.2.1 lies in 192.0.2.0/24 of line 2 and changes nothing"}},
		{"watch differs", "192.0.2.1 watch\n192.0.2.0/24\n", nil},
		{"watch differs in between", "192.0.2.1\n192.0.2.0/28 watch\n192.0.2.0/24\n", nil},
		{"lasts longer", "192.0.2.1\n192.0.2.0/24 until=2030-01-01T00:00:00Z\n", nil},
		{"lasts as long", "192.0.2.1 until=2030-01-01T00:00:00Z\n192.0.2.0/24 until=2030-01-01T00:00:00Z\n",
			[]string{"line 1: 192.0.2.1 lies in 192.0.2.0/24 of line 2 and changes nothing"}},
		{"outlived by the outermost", "192.0.2.1\n192.0.2.0/28 until=2030-01-01T00:00:00Z\n192.0.2.0/24\n", []string{
			"line 1: 192.0.2.1 lies in 192.0.2.0/24 of line 3 and changes nothing",
			"line 2: 192.0.2.0/28 lies in 192.0.2.0/24 of line 3 and changes nothing",
		}},
		{"expired", "192.0.2.0/24 until=2025-01-01T00:00:00Z\n192.0.2.1\n", []string{"line 1: 192.0.2.0/24 expired 2025-01-01T00:00:00Z"}},
		{"everything", "0.0.0.0/0\n2001:db8::1\n", []string{"line 1: 0.0.0.0/0 is every address there is"}},
		{"IPv6 does not cover IPv4", "::/0\n192.0.2.1\n", []string{"line 1: ::/0 is every address there is"}},
	}
	for _, tt := range tests {
		var got []string
		for _, w := range mustParse(t, Allow, tt.in).Warnings(testNow) {
			got = append(got, w.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestIneffective(t *testing.T) {
	allow := mustParse(t, Allow, "192.0.2.0/24\n198.51.100.1 until=2030-01-01T00:00:00Z\n2001:db8::/32 watch\n")
	deny := mustParse(t, Deny, "203.0.113.1\n192.0.2.7\n192.0.0.0/16\n198.51.100.1\n192.0.2.8 until=2025-01-01T00:00:00Z\n2001:db8:1::/48\n")
	var got []string
	for _, w := range Ineffective(deny, allow, testNow) {
		got = append(got, w.String())
	}
	want := []string{
		"line 2: 192.0.2.7 lies in 192.0.2.0/24 on line 1 of the allow list, which beats this one",
		"line 6: 2001:db8:1::/48 lies in 2001:db8::/32 on line 3 of the allow list, which beats this one",
	}
	if !slices.Equal(got, want) {
		t.Errorf("Ineffective = %q, want %q", got, want)
	}
}

// What Warnings calls shadowed must really change nothing: without those
// lines, every address is decided the same, now and later.
func TestShadowedChangesNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	later := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 200 {
		whole := mustParse(t, Allow, randomList(r, r.IntN(20)))
		needless := map[int]bool{}
		repeated := false
		for _, w := range whole.Warnings(testNow) {
			needless[w.Entry.Line] = needless[w.Entry.Line] || w.Kind == Shadowed
			repeated = repeated || w.Kind == Duplicate
		}
		if repeated {
			continue // of repeated lines, one may hide what another says
		}
		short := &List{Kind: Allow}
		for _, e := range whole.Entries {
			if !needless[e.Line] {
				short.Entries = append(short.Entries, e)
			}
		}
		for i := range 16 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32)
			for _, now := range []time.Time{testNow, later} {
				a, okA := whole.Lookup(p, now)
				b, okB := short.Lookup(p, now)
				if okA != okB || a.Watch != b.Watch {
					t.Fatalf("%v at %v: %v %v, without the shadowed lines %v %v", p, now, okA, a, okB, b)
				}
			}
		}
	}
}

func BenchmarkActive(b *testing.B) {
	list, err := parse("f", Deny, []byte(bigList(1_000_000)), false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := len(list.Active(testNow)); got != 1_000_000 {
			b.Fatal(got)
		}
	}
}

func BenchmarkWarnings(b *testing.B) {
	list, err := parse("f", Deny, []byte(bigList(1_000_000)), false)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got := len(list.Warnings(testNow)); got != 0 {
			b.Fatal(got)
		}
	}
}
