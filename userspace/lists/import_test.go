// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/store/safefile"
)

func TestImport(t *testing.T) {
	const until = "2026-05-06T07:08:09Z"
	end := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	tests := []struct {
		name, before, feed string
		opts               ImportOptions
		after              string
		skipped            map[Reason]int
	}{
		{"plain", "", "192.0.2.1\n2001:db8::/32\n", ImportOptions{}, "192.0.2.1\n2001:db8::/32\n", nil},
		{"sorted after what is there", "# a\n203.0.113.9", "198.51.100.1\n192.0.2.1", ImportOptions{}, "# a\n203.0.113.9\n192.0.2.1\n198.51.100.1\n", nil},
		{"feed formats", "", "\ufeff# head\r\n\r\n192.0.2.1\r\n192.0.2.2 # x\n192.0.2.3;x\n192.0.2.4,2026,\"x\"\n\"192.0.2.5\",1\n192.0.2.6\t5 more\n  192.0.2.7  \n; end",
			ImportOptions{}, "192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n192.0.2.5\n192.0.2.6\n192.0.2.7\n", nil},
		{"options", "", "192.0.2.1\n", ImportOptions{Until: end, Watch: true, Comment: "feed"}, "192.0.2.1 until=" + until + " watch  # feed\n", nil},
		{"invalid", "", "192.0.2.1\nbanana\n192.0.2.300\n", ImportOptions{Force: true}, "192.0.2.1\n", map[Reason]int{Invalid: 2}},
		{"host bits", "", "192.0.2.1/24\n", ImportOptions{}, "192.0.2.0/24\n", nil},
		{"repeated", "", "192.0.2.1\n192.0.2.1/32\n192.0.2.1\n", ImportOptions{}, "192.0.2.1\n", map[Reason]int{Repeated: 2}},
		{"listed", "192.0.2.1 # mine\n", "192.0.2.1\n192.0.2.2\n", ImportOptions{}, "192.0.2.1 # mine\n192.0.2.2\n", map[Reason]int{Listed: 1}},
		{"covered by the list", "192.0.2.0/24\n", "192.0.2.1\n192.0.2.0/25\n", ImportOptions{}, "192.0.2.0/24\n", map[Reason]int{Covered: 2}},
		{"covered by the feed", "", "192.0.2.1\n192.0.2.0/24\n", ImportOptions{}, "192.0.2.0/24\n", map[Reason]int{Covered: 1}},
		{"covered for a while only", "192.0.2.0/24 until=" + until + "\n", "192.0.2.1\n", ImportOptions{}, "192.0.2.0/24 until=" + until + "\n192.0.2.1\n", nil},
		{"covered by an expired entry", "192.0.2.0/24 until=2025-01-01T00:00:00Z\n", "192.0.2.1\n", ImportOptions{},
			"192.0.2.0/24 until=2025-01-01T00:00:00Z\n192.0.2.1\n", nil},
		{"watch is not covered", "192.0.2.0/24 watch\n", "192.0.2.1\n", ImportOptions{}, "192.0.2.0/24 watch\n192.0.2.1\n", nil},
		{"lengthens", "192.0.2.1 until=2025-01-01T00:00:00Z watch # mine\n192.0.2.2 until=2026-02-01T00:00:00Z\n192.0.2.3\n",
			"192.0.2.1\n192.0.2.2\n192.0.2.3\n", ImportOptions{Until: end, Comment: "feed"},
			"192.0.2.1 until=" + until + " watch # mine\n192.0.2.2 until=" + until + "\n192.0.2.3\n", map[Reason]int{Listed: 1}},
		{"empty", "192.0.2.1\n", "# nothing\n", ImportOptions{}, "192.0.2.1\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tempList(t, tt.before)
			tt.opts.Now = testNow
			result, err := Import(context.Background(), path, Allow, strings.NewReader(tt.feed), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustRead(t, path); got != tt.after {
				t.Errorf("file %q, want %q", got, tt.after)
			}
			if tt.skipped == nil {
				tt.skipped = map[Reason]int{}
			}
			if !reflect.DeepEqual(result.Skipped, tt.skipped) {
				t.Errorf("skipped %v, want %v", result.Skipped, tt.skipped)
			}
			if want := len(mustParse(t, Allow, tt.after).Entries); result.Total != want {
				t.Errorf("total %d, want %d", result.Total, want)
			}
		})
	}
}

func TestImportSkips(t *testing.T) {
	opts := ImportOptions{
		Own:       []netip.Prefix{netip.MustParsePrefix("203.0.113.5/32")},
		Protected: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("2001:db8:53::/48")},
		Now:       testNow,
	}
	tests := []struct {
		line string
		want Reason
	}{
		{"0.0.0.0/0", TooWide}, {"::/0", TooWide}, {"192.0.0.0/7", TooWide}, {"2001::/18", TooWide}, {"10.0.0.0/7", TooWide},
		{"203.0.113.5", Own}, {"203.0.113.0/24", Own},
		{"198.51.100.0/24", Protected}, {"2001:db8:53::53", Protected},
		{"127.0.0.1", Loopback}, {"::1", Loopback},
		{"169.254.1.1", LinkLocal}, {"fe80::1", LinkLocal},
		{"224.0.0.1", Multicast}, {"ff02::1", Multicast},
		{"10.1.2.3", Private}, {"172.16.0.0/12", Private}, {"192.168.0.1", Private}, {"100.64.0.1", Private}, {"fd00::1", Private},
		{"192.0.0.0/8", Private}, // contains 192.168.0.0/16
		{"0.0.0.0", Reserved}, {"255.255.255.255", Reserved}, {"::", Reserved},
		{"::ffff:192.0.2.1", Invalid}, {"fe80::1%eth0", Invalid}, {"192.0.2.1-192.0.2.9", Invalid}, {"<html>", Invalid},
	}
	for _, tt := range tests {
		path := tempList(t, "")
		// The good line keeps an invalid one from being the whole feed.
		result, err := Import(context.Background(), path, Deny, strings.NewReader(tt.line+"\n192.0.2.1\n"), opts)
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
			continue
		}
		if want := map[Reason]int{tt.want: 1}; !reflect.DeepEqual(result.Skipped, want) || result.Added != 1 {
			t.Errorf("%s: skipped %v, added %d, want %v and 1", tt.line, result.Skipped, result.Added, want)
		}
		forced := opts
		forced.Force = true
		result, err = Import(context.Background(), tempList(t, ""), Deny, strings.NewReader(tt.line+"\n"), forced)
		if tt.want == Invalid {
			if !errors.Is(err, ErrNoAddresses) || result.Added != 0 {
				t.Errorf("%s with force: %+v, %v, want ErrNoAddresses", tt.line, result, err)
			}
		} else if err != nil || result.Added != 1 {
			t.Errorf("%s with force: %+v, %v, want it added", tt.line, result, err)
		}
	}
}

func TestImportReportsInvalidLines(t *testing.T) {
	feed := "192.0.2.1\n" + strings.Repeat("bad\n", 9) + strings.Repeat("x", 1<<20) + "\n192.0.2.2/24\n"
	result, err := Import(context.Background(), tempList(t, ""), Deny, strings.NewReader(feed), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if result.Skipped[Invalid] != 10 || len(result.Invalid) != 5 || result.Invalid[0].Line != 2 {
		t.Errorf("invalid lines %v, %v, want 10 and the first 5 from line 2", result.Skipped, result.Invalid)
	}
	if result.Lines != 12 || result.Masked != 1 {
		t.Errorf("result %+v, want 12 lines, 1 masked", result)
	}
}

func TestImportLeavesTheListAlone(t *testing.T) {
	broken := errors.New("connection reset")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		feed io.Reader
		opts ImportOptions
		want string
	}{
		{"web page", context.Background(), strings.NewReader("<!doctype html>\n<p>404\n"), ImportOptions{}, `no address in the feed: line 1: address "<!doctype"`},
		{"zeros", context.Background(), io.LimitReader(zeros{}, 1<<20), ImportOptions{}, "no address in the feed"},
		{"endless line", context.Background(), zeros{}, ImportOptions{}, "too large"},
		{"breaks off", context.Background(), io.MultiReader(strings.NewReader("192.0.2.1\n"), failing{broken}), ImportOptions{}, "read feed: connection reset"},
		{"cancelled", cancelled, strings.NewReader(strings.Repeat("192.0.2.1\n", progressEvery)), ImportOptions{}, "canceled"},
		{"bad comment", context.Background(), strings.NewReader("192.0.2.1\n"), ImportOptions{Comment: "a\nb"}, "one line of printable text"},
		{"watch on the deny list", context.Background(), strings.NewReader("192.0.2.1\n"), ImportOptions{Watch: true}, "only on the allow list"},
	}
	for _, tt := range tests {
		const before = "203.0.113.1 # stays\n"
		path := tempList(t, before)
		_, err := Import(tt.ctx, path, Deny, tt.feed, tt.opts)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", tt.name, err, tt.want)
		}
		if got := mustRead(t, path); got != before {
			t.Errorf("%s: file %q, want it unchanged", tt.name, got)
		}
	}
}

func TestImportFile(t *testing.T) {
	feed := filepath.Join(t.TempDir(), "feed.txt")
	mustWrite(t, feed, "192.0.2.1\n")
	path := filepath.Join(t.TempDir(), "new", "deny.list")
	result, err := ImportFile(context.Background(), path, Deny, feed, ImportOptions{})
	if err != nil || !result.Created || result.Added != 1 || result.Path != path {
		t.Errorf("ImportFile = %+v, %v", result, err)
	}
	if _, err := ImportFile(context.Background(), path, Deny, feed+"x", ImportOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing feed: %v, want ErrNotExist", err)
	}
	if _, err := ImportFile(context.Background(), path, Deny, t.TempDir(), ImportOptions{}); err == nil {
		t.Error("directory as feed: no error")
	}
	if err := os.Truncate(feed, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := ImportFile(context.Background(), path, Deny, feed, ImportOptions{}); !errors.Is(err, safefile.ErrTooLarge) {
		t.Errorf("huge feed: %v, want ErrTooLarge", err)
	}
}

func TestImportLargeFeedTwice(t *testing.T) {
	const n = 2 * progressEvery
	feed := bigList(n)
	path := tempList(t, "# mine\n192.0.2.1\n")
	var progress []int
	opts := ImportOptions{Progress: func(lines int) { progress = append(progress, lines) }}
	for _, want := range []map[Reason]int{{}, {Listed: n}} {
		result, err := Import(context.Background(), path, Deny, strings.NewReader(feed), opts)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(result.Skipped, want) || result.Total != n+1 || result.Added != n-want[Listed] {
			t.Errorf("import: %+v, want %v skipped", result, want)
		}
	}
	if want := []int{progressEvery, n, progressEvery, n}; !reflect.DeepEqual(progress, want) {
		t.Errorf("progress %v, want %v", progress, want)
	}
}

// BenchmarkImport imports a million lines into an empty list, and then
// again into the list that holds them.
func BenchmarkImport(b *testing.B) {
	feed := bigList(1_000_000)
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprintf("again=%v", again), func(b *testing.B) {
			path := tempList(b, "")
			run := func() {
				if _, err := Import(context.Background(), path, Deny, strings.NewReader(feed), ImportOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			run()
			b.ReportAllocs()
			for b.Loop() {
				if !again {
					mustWrite(b, path, "")
				}
				run()
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzFeed(f *testing.F) {
	for _, s := range []string{"", "192.0.2.1\n", "\"192.0.2.1\",x\r\n# c\n", "192.0.2.7/24 x\n::/0\n<html>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		result := &ImportResult{Skipped: map[Reason]int{}}
		entries, err := readFeed(context.Background(), strings.NewReader(text), Entry{}, ImportOptions{}, result)
		if err != nil && !errors.Is(err, ErrNoAddresses) {
			t.Fatal(err)
		}
		d, err := newDocument("f", Deny, nil)
		if err != nil {
			t.Fatal(err)
		}
		added, _ := d.merge(entries, testNow, result.Skipped)
		out, err := d.render()
		if err != nil {
			t.Fatal(err)
		}
		list, err := parse("f", Deny, out, true)
		if err != nil || len(list.Entries) != added || len(list.Warnings(testNow)) != 0 {
			t.Errorf("%q was imported as %q: %v", text, out, err)
		}
	})
}
