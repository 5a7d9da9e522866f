// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"denmap/testenv/need"
	"denmap/userspace/event"
	"denmap/userspace/store"
)

const noKernel = "denmap: not attached: nothing is enforced; these are the bans for the next attach\n"

// saveBans puts bans of every sort into the file.
func (c *console) saveBans() {
	c.t.Helper()
	err := store.NewBans(c.path("state/bans.json"), c.env.Now).Save([]event.Ban{
		{Source: netip.MustParsePrefix("203.0.113.7/32"), Grade: event.Blind, Since: testNow.Add(-time.Minute), Until: testNow.Add(9 * time.Minute), Dropped: 12},
		{Source: netip.MustParsePrefix("198.51.100.7/32"), Grade: event.Manual, Since: testNow, Until: testNow.Add(time.Hour), Reason: "asked, twice"},
		{Source: netip.MustParsePrefix("2001:db8:9::/64"), Grade: event.Proven, Since: testNow.Add(-time.Hour)},
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

func TestBansShow(t *testing.T) {
	c := newConsole(t)
	none := outcome{stderr: noKernel + "denmap: no bans\n"}
	c.expect("bans", none)
	c.expect("bans show --format plain", none)
	none.stdout = "{\n  \"schema\": 1,\n  \"bans\": []\n}\n"
	c.expect("bans show --json", none)
	c.saveBans()
	c.expect("bans", outcome{stderr: noKernel, stdout: "" +
		"SOURCE           GRADE   SINCE                LEFT  DROPPED  REASON\n" +
		"198.51.100.7     manual  2026-01-02 03:04:05  1h    0        asked, twice\n" +
		"203.0.113.7      blind   2026-01-02 03:03:05  9m    12\n" +
		"2001:db8:9::/64  proven  2026-01-02 02:04:05  -     0\n"})
	c.expect("bans show --format plain", outcome{stderr: noKernel, stdout: "198.51.100.7\n203.0.113.7\n2001:db8:9::/64\n"})
	c.expect("bans show --format csv", outcome{stderr: noKernel, stdout: `source,grade,since,until,dropped,reason
198.51.100.7,manual,2026-01-02T03:04:05Z,2026-01-02T04:04:05Z,0,"asked, twice"
203.0.113.7,blind,2026-01-02T03:03:05Z,2026-01-02T03:13:05Z,12,
2001:db8:9::/64,proven,2026-01-02T02:04:05Z,,0,
`})
	const document = `{
  "schema": 1,
  "bans": [
    {
      "source": "198.51.100.7",
      "grade": "manual",
      "since": "2026-01-02T03:04:05Z",
      "until": "2026-01-02T04:04:05Z",
      "dropped": 0,
      "reason": "asked, twice"
    },
    {
      "source": "203.0.113.7",
      "grade": "blind",
      "since": "2026-01-02T03:03:05Z",
      "until": "2026-01-02T03:13:05Z",
      "dropped": 12
    },
    {
      "source": "2001:db8:9::/64",
      "grade": "proven",
      "since": "2026-01-02T02:04:05Z",
      "dropped": 0
    }
  ]
}
`
	c.expect("bans --json", outcome{stderr: noKernel, stdout: document})
	c.expect("bans show --format json", outcome{stderr: noKernel, stdout: document})
	c.expect("bans show --format xml", refused(2, `option --format: "xml": expected table, json, csv, plain or nft`))
}

// TestBansShowNft has nft, where it is installed, check what it is to load.
func TestBansShowNft(t *testing.T) {
	c := newConsole(t)
	c.saveBans()
	want := `table inet denmap {
	set banned4 {
		type ipv4_addr
		flags interval, timeout
		auto-merge
		elements = {
			198.51.100.7 timeout 3600s,
			203.0.113.7 timeout 540s
		}
	}
	set banned6 {
		type ipv6_addr
		flags interval, timeout
		auto-merge
		elements = {
			2001:db8:9::/64
		}
	}
}
`
	c.expect("bans show --format nft", outcome{stderr: noKernel, stdout: want})
	need.Root(t, "having nft check it")
	nft := need.Program(t, "nftables", "nft")
	enterNetns(t)
	cmd := exec.Command(nft, "-c", "-f", "-")
	cmd.Stdin = strings.NewReader(want)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("nft refuses it: %v\n%s", err, out)
	}
}

func TestBansAdd(t *testing.T) {
	c := newConsole(t)
	c.configure("ban: {duration: 20m}\n")
	c.expect("bans add 198.51.100.7", said(notAttached, "banned 198.51.100.7 for 20m"))
	c.expect("bans add 198.51.100.7 2001:db8:9::/64 2001:db8:9::5 --for 2h --reason noise",
		said(notAttached, "banned 198.51.100.7 for 2h", "banned 2001:db8:9::/64 for 2h", "banned 2001:db8:9::5 for 2h"))
	c.compare("bans add -", c.runInput("# from elsewhere\n\n203.0.113.7\n203.0.113.8 8h\n203.0.113.9 1d # a reason\n203.0.113.7 3h\n", "bans", "add", "-", "--for", "30m", "--reason", "feed"),
		said(notAttached, "banned 203.0.113.7 for 3h", "banned 203.0.113.8 for 8h", "banned 203.0.113.9 for 1d"))
	c.expect("bans show --format csv", outcome{stderr: noKernel, stdout: `source,grade,since,until,dropped,reason
198.51.100.7,manual,2026-01-02T03:04:05Z,2026-01-02T05:04:05Z,0,noise
203.0.113.7,manual,2026-01-02T03:04:05Z,2026-01-02T06:04:05Z,0,feed
203.0.113.8,manual,2026-01-02T03:04:05Z,2026-01-02T11:04:05Z,0,feed
203.0.113.9,manual,2026-01-02T03:04:05Z,2026-01-03T03:04:05Z,0,a reason
2001:db8:9::/64,manual,2026-01-02T03:04:05Z,2026-01-02T05:04:05Z,0,noise
2001:db8:9::5,manual,2026-01-02T03:04:05Z,2026-01-02T05:04:05Z,0,noise
`})
}

func TestBansAddRefuses(t *testing.T) {
	c := newConsole(t)
	tests := []struct {
		stdin, line string
		want        outcome
	}{
		{"", "bans add 198.51.100.0/24", refused(2, `ban "198.51.100.0/24": expected one address`, "denmap lists add deny 198.51.100.0/24 keeps a whole network out")},
		{"", "bans add 2001:db8:9::/48", refused(2, `ban "2001:db8:9::/48": expected one address or a /64`, "denmap lists add deny 2001:db8:9::/48 keeps a whole network out")},
		{"", "bans add 198.51.100.7 example", refused(2, unparsable("example"))},
		{"", "bans add 198.51.100.7 192.0.2.1", refused(1, `ban "192.0.2.1": it is an address of this host; --force does it all the same`)},
		{"", "bans add 2001:db8::/64", refused(1, `ban "2001:db8::/64": it contains 2001:db8::1, an address of this host; --force does it all the same`)},
		{"203.0.113.7\n\n203.0.113.8 1h now\n", "bans add -", refused(1, `standard input, line 3: "now": expected ADDR [DURATION] [# REASON]`)},
		{"203.0.113.0/24\n", "bans add -", refused(2, `standard input, line 1: ban "203.0.113.0/24": expected one address`, "denmap lists add deny 203.0.113.0/24 keeps a whole network out")},
		{"# nothing\n", "bans add -", refused(1, "standard input: no address")},
		{strings.Repeat("x", 5000), "bans add -", refused(1, "standard input, line 1: bufio.Scanner: token too long")},
	}
	for _, test := range tests {
		c.compare(test.line, c.runInput(test.stdin, strings.Fields(test.line)...), test.want)
	}
	if got := c.run("bans", "add", "198.51.100.7", "--for", "soon"); got.code != 2 || !strings.HasPrefix(got.stderr, "denmap: error: option --for: ") || !strings.Contains(got.stderr, "soon") {
		t.Errorf("--for soon: %+v", got)
	}
	if got := c.run("bans", "add", "198.51.100.7", "--reason", "two\nlines"); got.code != 2 {
		t.Errorf("reason of two lines: %+v", got)
	}
	if text := c.read("state/bans.json"); text != "" {
		t.Errorf("bans were saved: %s", text)
	}
	c.write("allow.list", "198.51.100.0/24\n")
	c.expect("bans add 198.51.100.7", said("198.51.100.7 is on the allow list ($DIR/allow.list, line 1), which beats the ban", notAttached, "banned 198.51.100.7 for 10m"))
	c.expect("bans add 192.0.2.1 --force", said(notAttached, "banned 192.0.2.1 for 10m"))
}

func TestUnban(t *testing.T) {
	c := newConsole(t)
	c.expect("unban 198.51.100.7", refused(1, "198.51.100.7: not banned, and has no score"))
	if text := c.read("state/bans.json"); text != "" {
		t.Errorf("unban made a file: %s", text)
	}
	c.saveBans()
	c.expect("unban 300.1.1.1", refused(2, unparsable("300.1.1.1")))
	got := c.run("unban", "198.51.100.7", "203.0.113.99")
	c.compare("unban", got, outcome{code: 1, stderr: "denmap: unbanned 198.51.100.7\ndenmap: error: 203.0.113.99: not banned, and has no score\n"})
	// The network around it is what is banned.
	c.expect("unban 2001:db8:9::5", said("unbanned 2001:db8:9::5"))
	c.expect("bans show --format plain", outcome{stderr: noKernel, stdout: "203.0.113.7\n"})
	c.expect("bans remove 203.0.113.0/24", said("unbanned 203.0.113.0/24"))
	c.saveBans()
	c.expect("unban --all", said("unbanned 3 sources"))
	c.expect("unban --all", said("unbanned 0 sources"))
	c.expect("bans show --format plain", outcome{stderr: noKernel + "denmap: no bans\n"})
}

// TestDamagedBans sets a damaged file aside, says so and goes on.
func TestDamagedBans(t *testing.T) {
	c := newConsole(t)
	if err := os.Mkdir(c.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.write("state/bans.json", "{")
	got := c.run("bans", "add", "198.51.100.7")
	if got.code != 0 || !strings.Contains(got.stderr, "set aside as") || !strings.Contains(got.stderr, "banned 198.51.100.7") {
		t.Errorf("bans add: %+v", got)
	}
	c.write("state/bans.json", `{"schema":99}`)
	if got := c.run("bans", "add", "198.51.100.7"); got.code != 1 || !strings.Contains(got.stderr, "newer version") {
		t.Errorf("bans add to a newer file: %+v", got)
	}
}

func TestBansAddOddArguments(t *testing.T) {
	c := newConsole(t)
	for _, addr := range []string{"224.0.0.1", "0.0.0.0", "ff02::1", "::"} {
		c.expect("bans add "+addr, refused(2, fmt.Sprintf("ban %q: expected a source: nothing comes from a multicast or unspecified address", addr)))
	}
	got := c.run("bans", "add", "203.0.113.7", "203.0.113.7")
	if got.code != 0 || strings.Count(got.stderr, "banned 203.0.113.7") != 1 {
		t.Errorf("one address twice: %+v", got)
	}
}

func TestPauseBelowZero(t *testing.T) {
	c := newConsole(t)
	if got := c.run("pause", "-5m"); got.code != 2 || !strings.Contains(got.stderr, `"-5m": expected a`) {
		t.Errorf("pause -5m: %+v", got)
	}
}
