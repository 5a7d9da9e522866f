// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/store/safefile"
)

func entry(t testing.TB, s string) Entry { return Entry{Prefix: mustPrefix(t, s)} }

func TestAdd(t *testing.T) {
	until := time.Date(2026, 5, 6, 7, 8, 9, 1, time.FixedZone("", 7200)) // rounded up, in UTC
	const untilText = "until=2026-05-06T05:08:10Z"
	one := entry(t, "192.0.2.1")
	full := Entry{Prefix: one.Prefix, Until: until, Watch: true, Comment: " the # office "}
	tests := []struct {
		name, before string
		add          []Entry
		after        string
		actions      []Action
	}{
		{"to an empty file", "", []Entry{one}, "192.0.2.1\n", []Action{Added}},
		{"everything", "", []Entry{full}, "192.0.2.1 " + untilText + " watch  # the # office\n", []Action{Added}},
		{"after comments", "# a\n\n", []Entry{one}, "# a\n\n192.0.2.1\n", []Action{Added}},
		{"after a line without end", "192.0.2.9", []Entry{one}, "192.0.2.9\n192.0.2.1\n", []Action{Added}},
		{"to a DOS file", "192.0.2.9\r\n", []Entry{one}, "192.0.2.9\r\n192.0.2.1\r\n", []Action{Added}},
		{"to a byte order mark", "\ufeff", []Entry{one}, "\ufeff192.0.2.1\n", []Action{Added}},
		{"already there", " 192.0.2.1/32\t# x", []Entry{one}, " 192.0.2.1/32\t# x", []Action{Unchanged}},
		{"already there, same comment", "192.0.2.1 ;the # office\n", []Entry{{Prefix: one.Prefix, Comment: "the # office"}},
			"192.0.2.1 ;the # office\n", []Action{Unchanged}},
		{"other options", "# a\n\t192.0.2.1/32   until=2030-01-01T00:00:00Z   ; why\r\n# b", []Entry{one},
			"# a\n\t192.0.2.1/32   ; why\r\n# b", []Action{Updated}},
		{"other comment", "192.0.2.1 watch;old\r\n", []Entry{full}, "192.0.2.1 " + untilText + " watch  # the # office\r\n", []Action{Updated}},
		{"other comment without line end", "\ufeff192.0.2.1", []Entry{{Prefix: one.Prefix, Comment: "new"}},
			"\ufeff192.0.2.1  # new", []Action{Updated}},
		{"comment kept", "192.0.2.1 # old\n", []Entry{{Prefix: one.Prefix, Watch: true}}, "192.0.2.1 watch # old\n", []Action{Updated}},
		{"the last of two lines", "192.0.2.1\n192.0.2.1\n", []Entry{{Prefix: one.Prefix, Watch: true}}, "192.0.2.1\n192.0.2.1 watch\n", []Action{Updated}},
		{"several", "192.0.2.2\n", []Entry{one, entry(t, "192.0.2.2"), entry(t, "2001:db8::/32")},
			"192.0.2.2\n192.0.2.1\n2001:db8::/32\n", []Action{Added, Unchanged, Added}},
		{"the same twice", "", []Entry{one, full}, "192.0.2.1 " + untilText + " watch  # the # office\n", []Action{Added}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tempList(t, tt.before)
			result, err := Add(context.Background(), path, Allow, tt.add, AddOptions{Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			if got := mustRead(t, path); got != tt.after {
				t.Errorf("file %q, want %q", got, tt.after)
			}
			var actions []Action
			for _, c := range result.Changes {
				actions = append(actions, c.Action)
			}
			if !slices.Equal(actions, tt.actions) {
				t.Errorf("actions %v, want %v", actions, tt.actions)
			}
			if want := len(mustParse(t, Allow, tt.after).Entries); result.Total != want || result.Created || result.Path != path {
				t.Errorf("result %+v, want a total of %d and path %s", result, want, path)
			}
		})
	}
}

func TestAddTellsWhatCovers(t *testing.T) {
	path := tempList(t, "192.0.2.0/25 until=2025-01-01T00:00:00Z\n192.0.2.0/24\n")
	result, err := Add(context.Background(), path, Deny, []Entry{entry(t, "192.0.2.1"), entry(t, "198.51.100.1")}, AddOptions{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	if got := result.Changes[0].Covering; got.Line != 2 {
		t.Errorf("192.0.2.1 is covered by %+v, want line 2", got)
	}
	if got := result.Changes[1].Covering; got.Prefix.IsValid() {
		t.Errorf("198.51.100.1 is covered by %+v, want nothing", got)
	}
}

func TestAddRefuses(t *testing.T) {
	protected := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	good := entry(t, "192.0.2.1")
	tests := []struct {
		name string
		kind Kind
		add  []Entry
		want string
	}{
		{"nothing", Deny, nil, "at least one address"},
		{"no prefix", Deny, []Entry{good, {}}, "expected a network"},
		{"host bits", Deny, []Entry{{Prefix: netip.MustParsePrefix("192.0.2.1/24")}}, "without host bits"},
		{"mapped", Deny, []Entry{{Prefix: netip.MustParsePrefix("::ffff:192.0.2.1/128")}}, "expected a network"},
		{"watch", Deny, []Entry{{Prefix: good.Prefix, Watch: true}}, "only on the allow list"},
		{"line break", Allow, []Entry{{Prefix: good.Prefix, Comment: "x\n0.0.0.0/0"}}, "one line of printable text"},
		{"escape", Allow, []Entry{{Prefix: good.Prefix, Comment: "\x1b[2J"}}, "one line of printable text"},
		{"long comment", Allow, []Entry{{Prefix: good.Prefix, Comment: strings.Repeat("x", 1025)}}, "at most 1024"},
		{"far end", Allow, []Entry{{Prefix: good.Prefix, Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}, "1970 to 9999"},
		{"protected", Deny, []Entry{good, entry(t, "198.51.100.7")}, `"198.51.100.7"`},
		{"around protected", Deny, []Entry{entry(t, "198.51.0.0/16")}, "protected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const before = "203.0.113.1 # stays\n"
			path := tempList(t, before)
			result, err := Add(context.Background(), path, tt.kind, tt.add, AddOptions{Now: testNow, Protected: protected})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Add = %+v, %v, want one line with %q", result, err, tt.want)
			}
			if got := mustRead(t, path); got != before {
				t.Errorf("file %q, want it unchanged", got)
			}
		})
	}
	t.Run("protected is fine with force and on the allow list", func(t *testing.T) {
		path := tempList(t, "")
		add := []Entry{entry(t, "198.51.100.7")}
		if _, err := Add(context.Background(), path, Deny, add, AddOptions{Protected: protected}); !errors.Is(err, ErrProtected) {
			t.Errorf("Add: %v, want ErrProtected", err)
		}
		if _, err := Add(context.Background(), path, Deny, add, AddOptions{Protected: protected, Force: true}); err != nil {
			t.Error(err)
		}
		if _, err := Add(context.Background(), path, Allow, add, AddOptions{Protected: protected}); err != nil {
			t.Error(err)
		}
	})
}

func TestRemove(t *testing.T) {
	tests := []struct{ name, before, remove, after string }{
		{"one", "# a\n192.0.2.1 # x\n# b\n192.0.2.2\n", "192.0.2.1", "# a\n# b\n192.0.2.2\n"},
		{"the only one", "192.0.2.1", "192.0.2.1", ""},
		{"the first after a byte order mark", "\ufeff192.0.2.1\n192.0.2.2", "192.0.2.1", "\ufeff192.0.2.2"},
		{"every line of it", "192.0.2.1\r\n\r\n192.0.2.1/32 # y\r\n192.0.2.2\r\n", "192.0.2.1", "\r\n192.0.2.2\r\n"},
		{"expired", "192.0.2.1 until=2020-01-01T00:00:00Z\n", "192.0.2.1", ""},
		{"two", "192.0.2.1\n192.0.2.2\n2001:db8::/32\n", "2001:db8::/32 192.0.2.1 192.0.2.1", "192.0.2.2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tempList(t, tt.before)
			var remove []netip.Prefix
			for _, s := range strings.Fields(tt.remove) {
				remove = append(remove, mustPrefix(t, s))
			}
			result, err := Remove(context.Background(), path, Deny, remove)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustRead(t, path); got != tt.after {
				t.Errorf("file %q, want %q", got, tt.after)
			}
			if want := len(mustParse(t, Deny, tt.after).Entries); result.Total != want || result.Count(Removed) == 0 {
				t.Errorf("result %+v, want a total of %d", result, want)
			}
		})
	}
}

func TestRemoveUnknown(t *testing.T) {
	const before = "192.0.2.0/24\n192.0.2.0/28 # narrow\n198.51.100.1\n"
	path := tempList(t, before)
	_, err := Remove(context.Background(), path, Deny, []netip.Prefix{mustPrefix(t, "198.51.100.1"), mustPrefix(t, "192.0.2.1")})
	if want := `"192.0.2.1" is not on the deny list, but "192.0.2.0/28" on line 2 covers it`; !errors.Is(err, ErrNotListed) || err.Error() != want {
		t.Errorf("Remove: %v, want %s", err, want)
	}
	if got := mustRead(t, path); got != before {
		t.Errorf("file %q, want it unchanged", got)
	}
	_, err = Remove(context.Background(), path, Deny, []netip.Prefix{mustPrefix(t, "203.0.113.1")})
	if want := `"203.0.113.1" is not on the deny list`; err == nil || err.Error() != want {
		t.Errorf("Remove: %v, want %s", err, want)
	}
	missing := filepath.Join(t.TempDir(), "new", "deny.list")
	if _, err = Remove(context.Background(), missing, Deny, []netip.Prefix{mustPrefix(t, "203.0.113.1")}); !errors.Is(err, ErrNotListed) {
		t.Errorf("Remove from a missing list: %v, want ErrNotListed", err)
	}
	if _, err := os.Stat(filepath.Dir(missing)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove made a directory: %v", err)
	}
	if _, err := Remove(context.Background(), path, Deny, nil); err == nil {
		t.Error("Remove of nothing: no error")
	}
}

func TestEditRefusedList(t *testing.T) {
	const before = "192.0.2.1\nbanana\n"
	path := tempList(t, before)
	_, addErr := Add(context.Background(), path, Deny, []Entry{entry(t, "192.0.2.2")}, AddOptions{})
	_, removeErr := Remove(context.Background(), path, Deny, []netip.Prefix{mustPrefix(t, "192.0.2.1")})
	_, importErr := Import(context.Background(), path, Deny, strings.NewReader("203.0.113.1\n"), ImportOptions{})
	for _, err := range []error{addErr, removeErr, importErr} {
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Lines[0].Line != 2 || !strings.Contains(err.Error(), "refused as it is") {
			t.Errorf("edit of a bad list: %v, want a *RefusedError for line 2", err)
		}
	}
	if got := mustRead(t, path); got != before {
		t.Errorf("file %q, want it unchanged", got)
	}
}

func TestAddCreates(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "etc", "denmap", "allow.list")
	result, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Created || result.Total != 1 {
		t.Errorf("result %+v, want a created file", result)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
}

func TestEditKeepsModeAndOwner(t *testing.T) {
	path := tempList(t, "192.0.2.1\n")
	owner := os.Getuid()
	if owner == 0 {
		owner = 65534
	}
	if err := os.Chown(path, owner, os.Getgid()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.2")}, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o604 || int(stat.Uid) != owner {
		t.Errorf("mode %v, owner %d, want 0604 and %d", info.Mode(), stat.Uid, owner)
	}
}

func TestEditFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The relative link is to be read from real/deep, not from short.
	for link, target := range map[string]string{"short": "real/deep", "real/deep/a.list": "../b.list"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the target is created, then edited
		result, err := Add(context.Background(), filepath.Join(dir, "short", "a.list"), Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "real", "b.list"); result.Path != want {
			t.Errorf("path %s, want %s", result.Path, want)
		}
	}
	if got := mustRead(t, filepath.Join(dir, "real", "b.list")); got != "192.0.2.1\n" {
		t.Errorf("target %q", got)
	}
	if info, err := os.Lstat(filepath.Join(dir, "real", "deep", "a.list")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestEditUnchangedDoesNotWrite(t *testing.T) {
	path := tempList(t, "192.0.2.1\n")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the file was written: %v, %v, %v", before, after, err)
	}
}

func TestEditWaitsForTheLock(t *testing.T) {
	path := tempList(t, "")
	held, err := safefile.Lock(context.Background(), path, 0, dirMode)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Add(ctx, path, Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{}); !errors.Is(err, safefile.ErrLocked) {
		t.Errorf("Add while locked: %v, want ErrLocked", err)
	}
	done := make(chan error)
	go func() {
		_, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{})
		done <- err
	}()
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Add after the lock was given back: %v", err)
	}
}

// A leftover of a crashed edit is no hindrance, and no edit leaves one.
func TestEditAfterCrash(t *testing.T) {
	path := tempList(t, "192.0.2.1\n")
	left := filepath.Join(filepath.Dir(path), ".some.list.new")
	mustWrite(t, left, "half a li")
	if _, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.2")}, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, path); got != "192.0.2.1\n192.0.2.2\n" {
		t.Errorf("file %q", got)
	}
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("leftover: %v, want none", err)
	}
}
