// SPDX-License-Identifier: MIT

package lists

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/store/safefile"
)

func TestParse(t *testing.T) {
	until := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	p := func(s string) Entry { return Entry{Prefix: mustPrefix(t, s), Line: 1} }
	with := func(e Entry, change func(*Entry)) []Entry { change(&e); return []Entry{e} }
	tests := []struct {
		name, in string
		kind     Kind
		want     []Entry
	}{
		{"empty", "", Deny, nil},
		{"blank lines and comments", "\n  \n# a\n;b\n\t# c\n\r\n", Deny, nil},
		{"address", "192.0.2.1", Deny, []Entry{p("192.0.2.1")}},
		{"network", "192.0.2.0/24\n", Deny, []Entry{p("192.0.2.0/24")}},
		{"IPv6", "2001:db8::/32\n", Deny, []Entry{p("2001:db8::/32")}},
		{"indented", "\t 192.0.2.1 \t\n", Deny, []Entry{p("192.0.2.1")}},
		{"DOS line end", "192.0.2.1\r\n", Deny, []Entry{p("192.0.2.1")}},
		{"byte order mark", "\ufeff192.0.2.1\n", Deny, []Entry{p("192.0.2.1")}},
		{"comment", "192.0.2.1 # the office \n", Deny, with(p("192.0.2.1"), func(e *Entry) { e.Comment = "the office" })},
		{"comment without space", "192.0.2.1;x#y\n", Deny, with(p("192.0.2.1"), func(e *Entry) { e.Comment = "x#y" })},
		{"comment with escapes", "192.0.2.1 # \x1b[31m\xff\tx", Deny, with(p("192.0.2.1"), func(e *Entry) { e.Comment = "\ufffd[31m\ufffd x" })},
		{"until", "192.0.2.1 until=2026-05-06T07:08:09Z", Deny, with(p("192.0.2.1"), func(e *Entry) { e.Until = until })},
		{"until elsewhere", "192.0.2.1 until=2026-05-06T09:08:09+02:00\r\n", Deny, with(p("192.0.2.1"), func(e *Entry) { e.Until = until })},
		{"watch", "192.0.2.1 watch", Allow, with(p("192.0.2.1"), func(e *Entry) { e.Watch = true })},
		{"all", "192.0.2.1\twatch until=2026-05-06T07:08:09Z # c", Allow, with(p("192.0.2.1"), func(e *Entry) {
			e.Watch, e.Until, e.Comment = true, until, "c"
		})},
	}
	for _, tt := range tests {
		list, err := parse("f", tt.kind, []byte(tt.in), true)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(list.Entries) == 0 && len(tt.want) == 0 {
			continue
		}
		if !reflect.DeepEqual(list.Entries, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, list.Entries, tt.want)
		}
	}
}

func TestParseLineNumbers(t *testing.T) {
	list := mustParse(t, Deny, "# first\n192.0.2.1\n\n192.0.2.2\r\n192.0.2.3")
	var got []int
	for _, e := range list.Entries {
		got = append(got, e.Line)
	}
	if want := []int{2, 4, 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("lines %v, want %v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		in, want string
		kind     Kind
	}{
		{"192.0.2.1 192.0.2.2", `line 1: option "192.0.2.2": expected until=TIME or a # comment`, Deny},
		{"192.0.2.1 banana", `line 1: option "banana": expected until=TIME, watch or a # comment`, Allow},
		{"\n192.0.2.1 watch", `line 2: option "watch": expected only on the allow list`, Deny},
		{"192.0.2.1 watch watch", "only once", Allow},
		{"192.0.2.1 until=tomorrow", `option "until=tomorrow": expected a time as in until=2026-01-02T03:04:05Z`, Deny},
		{"192.0.2.1 until=2026-01-02", "expected a time", Deny},
		{"192.0.2.1 until=0001-01-01T00:00:00Z", "expected a time", Deny},
		{"192.0.2.1 until=2026-01-02T03:04:05Z until=2027-01-02T03:04:05Z", "only one until=", Deny},
		{"192.0.2.1,192.0.2.2", "expected an address or network", Deny},
		{"192.0.2.1\x00", `\x00`, Deny},
		{"192.0.2.1\n\n192.0.2.7/24\n", "line 3: network \"192.0.2.7/24\" has host bits set", Deny},
		{"x\n192.0.2.1\ny\n", "line 1: address \"x\": expected an address or network, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32 (and 1 more bad line)", Deny},
		{strings.Repeat("x\n", 20), "(and 19 more bad lines)", Deny},
		{strings.Repeat("x\n", 500), "(and at least 19 more bad lines)", Deny},
		{strings.Repeat("\x00", 1<<20), "is 1048576 bytes long: expected at most 4096", Deny},
		{"# " + strings.Repeat("c", maxLine), "expected at most 4096", Deny},
	}
	for _, tt := range tests {
		list, err := parse("/etc/denmap/some.list", tt.kind, []byte(tt.in), false)
		var refused *RefusedError
		if !errors.As(err, &refused) || list != nil {
			t.Errorf("parse(%.40q) = %v, %v, want a *RefusedError and no list", tt.in, list, err)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, tt.want) || !strings.HasPrefix(text, `read list "/etc/denmap/some.list": line `) {
			t.Errorf("parse(%.40q): %v, want the file and %q", tt.in, err, tt.want)
		}
		if strings.Contains(text, "\n") || len(text) > 400 {
			t.Errorf("parse(%.40q): %.500q, want one short line", tt.in, text)
		}
	}
}

func TestParseTooManyEntries(t *testing.T) {
	data := []byte(strings.Repeat("::\n", MaxEntries+1) + "bad\n")
	_, err := parse("f", Deny, data, false)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d: expected at most", MaxEntries+1)) {
		t.Errorf("parse of too many entries: %v", err)
	}
}

// A file cut at any byte, as a crash or a full disk leaves it, must give a
// list or an error, and never more than the whole file has.
func TestParseTruncated(t *testing.T) {
	const whole = "# office\n192.0.2.0/24 watch until=2026-05-06T07:08:09Z # \u00e4\r\n2001:db8::/32 ; x\n198.51.100.17\n"
	full := mustParse(t, Allow, whole).Entries
	for n := range len(whole) {
		list, err := parse("f", Allow, []byte(whole[:n]), true)
		if err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Errorf("cut at %d: %v, want a *RefusedError", n, err)
			}
			continue
		}
		// Only the entry that the cut goes through may differ.
		lines := strings.Count(whole[:n], "\n")
		for i, e := range list.Entries {
			if e.Line <= lines && !reflect.DeepEqual(e, full[i]) {
				t.Errorf("cut at %d: entry %+v, want %+v", n, e, full[i])
			}
		}
	}
}

func TestLoadMissing(t *testing.T) {
	for _, path := range []string{"none.list", "none/none.list"} {
		list, err := Load(filepath.Join(t.TempDir(), path), Allow)
		if err != nil || !list.Missing || len(list.Entries) != 0 {
			t.Errorf("Load(%s) = %+v, %v, want an empty list", path, list, err)
		}
	}
}

func TestLoadComments(t *testing.T) {
	path := tempList(t, "192.0.2.1 # office\n")
	list, err := Load(path, Deny)
	if err != nil || len(list.Entries) != 1 || list.Entries[0].Comment != "" || list.Missing {
		t.Errorf("Load = %+v, %v, want one entry without comment", list, err)
	}
	list, err = LoadWithComments(path, Deny)
	if err != nil || len(list.Entries) != 1 || list.Entries[0].Comment != "office" {
		t.Errorf("LoadWithComments = %+v, %v, want one entry with comment", list, err)
	}
}

func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo, "/dev/zero", link} {
		if _, err := Load(path, Deny); !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("Load(%q): %v, want ErrNotRegular", path, err)
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(loop, Deny); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a link to itself: %v, want an error", err)
	}
}

func TestLoadHugeFileOfZeros(t *testing.T) {
	path := tempList(t, "")
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := Load(path, Deny); !errors.Is(err, safefile.ErrTooLarge) {
		t.Errorf("Load of 1 GiB of zeros: %v, want ErrTooLarge", err)
	}
	if err := os.Truncate(path, maxFileSize); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Deny); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("Load of zeros: %v, want line 1", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("refusing zeros took %v", took)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "192.0.2.1\n", "192.0.2.0/24 watch until=2026-05-06T07:08:09Z # x\r\n", "\ufeff::/0\n;\n",
		"::ffff:192.0.2.1", "192.0.2.7/24", "fe80::1%eth0", "192.0.2.1 until=x", "# only\n\n\n",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, content string, allow bool) {
		kind := Deny
		if allow {
			kind = Allow
		}
		list, err := parse("f", kind, []byte(content), true)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("error %q is not one printable line", text)
			}
			return
		}
		for _, e := range list.Entries {
			if e.Prefix != e.Prefix.Masked() || e.Prefix.Addr().Is4In6() || e.Line < 1 {
				t.Errorf("entry %+v", e)
			}
		}
		// What was read can be edited: taking everything off leaves no entry,
		// and untouched bytes stay.
		d, err := newDocument("f", kind, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := d.render(); err != nil || string(out) != content {
			t.Errorf("render of the unchanged %q = %q, %v", content, out, err)
		}
		for _, e := range list.Entries {
			d.cut[e.Line] = true
		}
		out, err := d.render()
		if err != nil {
			t.Fatal(err)
		}
		if rest, err := parse("f", kind, out, true); err != nil || len(rest.Entries) != 0 {
			t.Errorf("%q without its entries is %q: %v, %v", content, out, rest, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := []byte(bigList(n))
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse("f", Deny, data, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// bigList has n distinct networks in no order.
func bigList(n int) string {
	var s strings.Builder
	for i := range n {
		x := uint32(i) * 2654435761 // a permutation of 32 bits
		fmt.Fprintf(&s, "2001:db8:%x:%x::", x>>16, x&0xffff)
		s.WriteString([]string{"/64\n", "1\n"}[i%2])
	}
	return s.String()
}
