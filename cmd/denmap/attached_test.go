// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// attached is a console beside kernel state, whose daemon is the test.
type attached struct {
	*console
	kernel *loader.Kernel
}

// newAttached protects eth0, one end of a link in a network namespace of
// the test's own. The clock is the real one: the kernel's is.
func newAttached(t *testing.T) *attached {
	t.Helper()
	needRoot(t)
	enterNetns(t)
	c := newConsole(t)
	c.env.Now = time.Now
	c.env.PinDir = pinDir(t)
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatalf("make link: %v", err)
	}
	defaults := config.Default()
	settings := loaderSettings(daemon.Settings{Detect: defaults.Detect, Ban: defaults.Ban})
	k, err := loader.Open(loader.Options{Dir: c.env.PinDir, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	a := &attached{c, k}
	t.Cleanup(func() {
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
		if err := loader.Remove(c.env.PinDir); err != nil && !errors.Is(err, loader.ErrNotAttached) {
			t.Error(err)
		}
	})
	if _, err := k.Attach("eth0", loader.AttachOptions{Hook: loader.HookGeneric}); err != nil {
		t.Fatal(err)
	}
	if err := k.SetHost(loader.Host{Protected: []netip.Addr{netip.MustParseAddr("203.0.113.53")}}); err != nil {
		t.Fatal(err)
	}
	return a
}

// leave ends the daemon as a SIGKILL does: the kernel state stays.
func (a *attached) leave() {
	a.t.Helper()
	if err := a.kernel.Close(true); err != nil {
		a.t.Fatal(err)
	}
}

// contains wants an exit code, and texts in the output.
func (c *console) contains(line string, code int, texts ...string) {
	c.t.Helper()
	got := c.run(strings.Fields(line)...)
	if got.code != code {
		c.t.Errorf("denmap %s: exit code %d, want %d: %+v", line, got.code, code, got)
	}
	for _, text := range texts {
		if !strings.Contains(got.stdout+got.stderr, text) {
			c.t.Errorf("denmap %s: no %q in\n%s%s", line, text, got.stdout, got.stderr)
		}
	}
}

// follow puts the deny list in force whenever its file changes, until the
// test ends, as the daemon does.
func (a *attached) follow() {
	a.t.Helper()
	path := a.path("deny.list")
	watcher, err := lists.NewWatcher([]string{path})
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- watcher.Run(ctx, func(string) {
			list, err := lists.Load(path, lists.Deny)
			if err != nil {
				a.t.Error(err)
				return
			}
			var want []loader.ListEntry
			for _, e := range list.Active(time.Now()) {
				want = append(want, loader.ListEntry{Prefix: e.Prefix})
			}
			if _, err := a.kernel.SyncList(loader.Deny, want, nil); err != nil {
				a.t.Error(err)
			}
		})
	}()
	a.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			a.t.Error(err)
		}
	})
}

func (a *attached) listed(kind loader.ListName, addr string, want bool) {
	a.t.Helper()
	state, err := loader.OpenState(a.env.PinDir)
	if err != nil {
		a.t.Fatal(err)
	}
	defer state.Close()
	got, _, err := state.Listed(kind, netip.MustParseAddr(addr))
	if err != nil || got != want {
		a.t.Errorf("%s list of the kernel has %s = %v, %v, want %v", kind, addr, got, err, want)
	}
}

func TestListsWithDaemon(t *testing.T) {
	a := newAttached(t)
	a.follow()
	a.expect("lists add deny 203.0.113.0/28 2001:db8:9::/48", said("deny list: 2 added, 0 updated, 0 removed; 2 entries", "in force"))
	a.listed(loader.Deny, "203.0.113.1", true)
	a.expect("lists remove deny 203.0.113.0/28", said("deny list: 0 added, 0 updated, 1 removed; 1 entry", "in force"))
	a.listed(loader.Deny, "203.0.113.1", false)
	a.compare("import", a.runInput("203.0.113.100\n203.0.113.101\n", "lists", "import", "deny", "-"),
		said("deny list: 2 added, 0 updated, 0 skipped of 2 lines; 3 entries", "in force"))
	a.listed(loader.Deny, "203.0.113.101", true)
	a.expect("lists add deny 203.0.113.53", refused(1, `deny "203.0.113.53": it is a protected address; --force does it all the same`))
}

// TestListsIgnored has a daemon that does not follow.
func TestListsIgnored(t *testing.T) {
	a := newAttached(t)
	got := a.run("lists", "add", "deny", "203.0.113.7")
	if got.code != 1 || !strings.Contains(got.stderr, "denmap: error: the list is changed, but not in force: the daemon did not take over 203.0.113.7 in time\ndenmap: hint: ") {
		t.Errorf("lists add with a deaf daemon: %+v", got)
	}
	if got, want := a.read("deny.list"), "203.0.113.7\n"; got != want {
		t.Errorf("deny list %q, want %q", got, want)
	}
}

func TestListsWithoutDaemon(t *testing.T) {
	a := newAttached(t)
	a.leave()
	a.expect("lists add deny 203.0.113.7", said("deny list: 1 added, 0 updated, 0 removed; 1 entry", "in force"))
	a.listed(loader.Deny, "203.0.113.7", true)
	a.expect("lists add allow 203.0.113.0/24 --for 1h", said("allow list: 1 added, 0 updated, 0 removed; 1 entry", "in force",
		"no daemon is running: entries with an end stay in force until one does"))
	a.listed(loader.Allow, "203.0.113.99", true)
	a.contains("check 203.0.113.7", 0, "203.0.113.7 passes: allow list, $DIR/allow.list line 1, as part of 203.0.113.0/24, until ",
		"also: deny list, $DIR/deny.list line 1")
	a.expect("lists remove deny 203.0.113.7", said("deny list: 0 added, 0 updated, 1 removed; 0 entries", "in force"))
	a.listed(loader.Deny, "203.0.113.7", false)
}

func TestBansAttached(t *testing.T) {
	a := newAttached(t)
	a.expect("bans", said("no bans"))
	a.expect("bans add 203.0.113.7 2001:db8:9::/64 --for 1h --reason noise", said("banned 203.0.113.7 for 1h", "banned 2001:db8:9::/64 for 1h"))
	if err := a.kernel.AddBan(event.Ban{Source: netip.MustParsePrefix("203.0.113.8/32"), Grade: event.Blind, Until: time.Now().Add(10 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	a.expect("bans show --format plain", outcome{stdout: "203.0.113.7\n203.0.113.8\n2001:db8:9::/64\n"})
	a.contains("bans", 0, "noise", "blind")
	a.contains("bans show --json", 0, `"reason": "noise"`)
	a.contains("check 203.0.113.7", 0, "203.0.113.7 is dropped: banned until ", "manual, 0 packets dropped (noise)")
	a.contains("check 203.0.113.8", 0, "203.0.113.8 is dropped: banned until ", "blind", "established connections go on")
	a.contains("check 2001:db8:9::77", 0, "2001:db8:9::77 is dropped: ", "as part of 2001:db8:9::/64")
	a.contains("check 2001:db8:9::77 --json", 0, `"verdict": "drop"`, `"reason": "ban"`, `"grade": "manual"`)
	a.contains("check 203.0.113.9", 0, "203.0.113.9 passes: nothing is known against it\n")
	a.contains("check 203.0.113.53", 0, "203.0.113.53 passes: a protected address, never banned automatically")
	a.expect("bans add 203.0.113.53", refused(1, `ban "203.0.113.53": it is a protected address; --force does it all the same`))
	a.expect("unban 203.0.113.9", refused(1, "203.0.113.9: not banned, and has no score"))
	a.expect("unban 2001:db8:9::77", said("unbanned 2001:db8:9::77"))
	a.expect("bans remove 203.0.113.7", said("unbanned 203.0.113.7"))
	a.expect("bans show --format plain", outcome{stdout: "203.0.113.8\n"})
	a.expect("unban --all", said("unbanned 1 source"))
	bans, err := a.kernel.Bans()
	if err != nil || len(bans) != 0 {
		t.Errorf("bans in the kernel: %v, %v", bans, err)
	}
	if text := a.read("state/bans.json"); strings.Contains(text, "203.0.113") {
		t.Errorf("bans in the file: %s", text)
	}
}

func TestPause(t *testing.T) {
	a := newAttached(t)
	a.expect("resume", said("was not paused"))
	a.contains("pause 10m", 0, "denmap: paused until ", "every packet passes")
	a.contains("status", 0, "paused: until ")
	a.contains("status --json", 0, `"paused_until": "`)
	a.contains("check 203.0.113.9", 0, "203.0.113.9 passes: paused until ")
	a.contains("health", 1, "DENMAP WARNING - paused for ", "interfaces=1 unprotected=0")
	a.expect("resume", said("resumed"))
	a.contains("health", 0, "DENMAP OK - protecting eth0 generic | ")
}

func TestStatusAttached(t *testing.T) {
	a := newAttached(t)
	a.contains("status", 0, "daemon: running", "log:    $DIR/log/events.log", "eth0", "generic", "enforce", "protected", "sources", "blind_bans")
	got := a.run("status", "--json")
	var document statusReport
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil {
		t.Fatalf("status --json: %v\n%+v", err, got)
	}
	if !document.Attached || !document.Daemon || len(document.Interfaces) != 1 || !document.Interfaces[0].Protected ||
		document.Rules.BanScore != 8 || document.Rules.BanSeconds != 600 || len(document.Counters) == 0 || len(document.Tables) == 0 {
		t.Errorf("status --json: %+v", document)
	}
	for _, line := range strings.Split(a.run("status").stdout, "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	a.expect("sources", said("no source has a score"))
	a.contains("sources --json", 0, `"ban_score": 8`, `"sources": []`)
	a.leave()
	a.contains("status", 0, "daemon: not running")
}

func TestHealth(t *testing.T) {
	a := newAttached(t)
	a.contains("health", 0, "DENMAP OK - protecting eth0 generic | interfaces=1 unprotected=0;;0 bans=0 sources=0 dropped=0c lost=0c fill=0%;90\n")
	a.contains("health --json", 0, `"status": "OK"`, `"code": 0`)
	a.configure("interfaces: [eth0, wan1]\n")
	a.contains("health", 2, "DENMAP CRITICAL - wan1 is unprotected: the configuration names it | interfaces=1 unprotected=1;;0")
	a.configure("interfaces: [\"wan*\", \"none*\"]\n")
	a.contains("health", 2, "wan1 is unprotected")
	a.configure("interfaces: [eth0]\nmode: both\n")
	a.contains("health", 1, "DENMAP WARNING - configuration refused: ", "both")
	a.configure("interfaces: [\"eth*\"]\n")
	a.contains("health", 0, "DENMAP OK")
	a.leave()
	a.contains("health", 1, "DENMAP WARNING - the daemon is not running")
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	a.contains("health", 2, "DENMAP CRITICAL - eth0 is unprotected: the interface is gone", "; the daemon is not running")
	a.contains("status", 0, "UNPROTECTED: the interface is gone")
	a.contains("health --json", 2, `"status": "CRITICAL"`, `"unprotected": 1`)
}

// TestMonitorBans says which bans the kernel does not enforce.
func TestMonitorBans(t *testing.T) {
	a := newAttached(t)
	if _, err := a.kernel.Attach("eth0", loader.AttachOptions{Hook: loader.HookGeneric, Monitor: true}); err != nil {
		t.Fatal(err)
	}
	state, err := loader.OpenState(a.env.PinDir)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	for addr, grade := range map[string]event.Grade{"203.0.113.7/32": event.Blind, "203.0.113.8/32": event.Manual} {
		ban := event.Ban{Source: netip.MustParsePrefix(addr), Grade: grade, Until: time.Now().Add(time.Hour)}
		if err := state.AddBan(ban); err != nil {
			t.Fatal(err)
		}
	}
	a.contains("check 203.0.113.7", 0, "203.0.113.7 passes", "not enforced on eth0, in monitor mode")
	a.contains("check 203.0.113.7 --json", 0, `"verdict": "pass"`)
	a.contains("check 203.0.113.8", 0, "203.0.113.8 is dropped")
	a.contains("bans", 0, "automatic bans are not enforced on eth0, in monitor mode")
	if _, err := a.kernel.Attach("eth0", loader.AttachOptions{Hook: loader.HookGeneric}); err != nil {
		t.Fatal(err)
	}
	a.contains("check 203.0.113.7", 0, "203.0.113.7 is dropped")
}

// TestTroubles asks a daemon that has something to tell.
func TestTroubles(t *testing.T) {
	a := newAttached(t)
	told := []daemon.Trouble{
		{Matter: "event log", Text: "write log: no space left on device", Since: time.Now(), Lost: 3},
		{Matter: "deny list", Text: "deny list: line 7: 203.0.113.1/24", Since: time.Now()},
	}
	message, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	path := a.path("control.sock")
	server, err := control.Listen(path, func(r control.Request) control.Response {
		if r.Command != daemon.CommandTroubles {
			return control.Response{Error: "unknown"}
		}
		return control.Response{Message: string(message)}
	})
	if err != nil {
		t.Fatal(err)
	}
	a.contains("health --control "+path, 1, "DENMAP WARNING - log failing since ", "3 events lost: write log: no space", "; deny list: line 7: 203.0.113.1/24")
	a.contains("status --control "+path, 0, "wrong:  log failing since ", "wrong:  deny list: line 7")
	a.contains("status --json --control "+path, 0, `"matter": "event log"`, `"lost": 3`)
	server.Stop()
	a.contains("health --control "+path, 0, "DENMAP OK")
}

// TestBadConfigWithKernel lifts bans whatever the configuration says.
func TestBadConfigWithKernel(t *testing.T) {
	a := newAttached(t)
	a.configure("detect: {ban_skore: 3}\n")
	for _, line := range []string{"bans add 203.0.113.7", "check 203.0.113.7", "status", "bans", "sources", "lists show", "unban 203.0.113.7"} {
		a.contains(line, 0)
	}
	a.contains("health", 1, "configuration refused", "ban_skore")
}
