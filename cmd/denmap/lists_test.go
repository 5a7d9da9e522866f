// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"
)

const notAttached = "not attached: in force from the next attach on"

func TestListsAdd(t *testing.T) {
	c := newConsole(t)
	c.expect("lists add deny 198.51.100.7", said("deny list: 1 added, 0 updated, 0 removed; 1 entry", notAttached))
	c.expect("lists add blacklist 198.51.100.64/26 2001:db8:9::/48 --for 8h --comment office",
		said("deny list: 2 added, 0 updated, 0 removed; 3 entries", notAttached))
	c.expect("lists add deny 198.51.100.7", said("198.51.100.7 is on the deny list already",
		"deny list: 0 added, 0 updated, 0 removed; 3 entries", notAttached))
	c.expect("lists add whitelist 203.0.113.0/24", said("allow list: 1 added, 0 updated, 0 removed; 1 entry", notAttached))
	c.expect("lists add allow 203.0.113.9", said("203.0.113.9 lies in 203.0.113.0/24, which is on the allow list already",
		"allow list: 1 added, 0 updated, 0 removed; 2 entries", notAttached))
	c.expect("lists add allow 203.0.113.10 --watch", said("allow list: 1 added, 0 updated, 0 removed; 3 entries", notAttached))
	want := "198.51.100.7\n198.51.100.64/26 until=2026-01-02T11:04:05Z  # office\n2001:db8:9::/48 until=2026-01-02T11:04:05Z  # office\n"
	if got := c.read("deny.list"); got != want {
		t.Errorf("deny list %q, want %q", got, want)
	}
	if got, want := c.read("allow.list"), "203.0.113.0/24\n203.0.113.9\n203.0.113.10 watch\n"; got != want {
		t.Errorf("allow list %q, want %q", got, want)
	}
}

func TestListsAddRefuses(t *testing.T) {
	tests := []struct {
		line string
		want outcome
	}{
		{"lists add deny 198.51.100.999", refused(2, unparsable("198.51.100.999"))},
		{"lists add deny 198.51.100.7 198.51.100.1/24", refused(2, `network "198.51.100.1/24" has host bits set: expected the network 198.51.100.0/24 or the address 198.51.100.1`)},
		{"lists add deny 198.51.100.7 --for soon", refused(2, "option --for: ")},
		{"lists add deny 198.51.100.7 --watch", refused(2, "option --watch is for the allow list: what the deny list names is dropped")},
		{"lists add deny 192.0.2.1", refused(1, `deny "192.0.2.1": it is an address of this host; --force does it all the same`)},
		{"lists add deny 198.51.100.7 192.0.2.254", refused(1, `deny "192.0.2.254": it is a gateway; --force does it all the same`)},
		{"lists add deny 192.0.2.53", refused(1, `deny "192.0.2.53": it is a DNS server of this host; --force does it all the same`)},
		{"lists add deny 198.51.100.0/24", refused(1, `deny "198.51.100.0/24": it contains 198.51.100.22, where a logged-in session comes from; --force does it all the same`)},
		{"lists add deny fe80::1", refused(1, `deny "fe80::1": it is an address of this host; --force does it all the same`)},
	}
	for _, test := range tests {
		c := newConsole(t)
		got := c.run(strings.Fields(test.line)...)
		if strings.HasSuffix(test.want.stderr, ": \n") { // the rest is another package's
			got.stderr = got.stderr[:min(len(got.stderr), len(test.want.stderr)-1)] + "\n"
		}
		c.compare(test.line, got, test.want)
		if text := c.read("deny.list"); text != "" {
			t.Errorf("%s wrote %q", test.line, text)
		}
	}
	c := newConsole(t)
	c.compare("comment", c.run("lists", "add", "deny", "198.51.100.7", "--comment", "a\n192.0.2.1"),
		refused(2, `option --comment: `+"comment \"a\\n192.0.2.1\": expected one line of printable text"))
	c.expect("lists add deny 192.0.2.1 198.51.100.0/24 --force", said("deny list: 2 added, 0 updated, 0 removed; 2 entries", notAttached))
	c.expect("lists add allow 192.0.2.1", said("allow list: 1 added, 0 updated, 0 removed; 1 entry", notAttached))
}

func TestListsRemove(t *testing.T) {
	c := newConsole(t)
	c.write("deny.list", "# mine\n198.51.100.0/24\n203.0.113.7 # one\n203.0.113.8\n")
	c.expect("lists remove deny 203.0.113.7", said("deny list: 0 added, 0 updated, 1 removed; 2 entries", notAttached))
	c.expect("lists remove deny 203.0.113.8 198.51.100.7", refused(1, `"198.51.100.7" is not on the deny list, but "198.51.100.0/24" on line 2 covers it`,
		"denmap lists remove deny 198.51.100.0/24 takes the whole network off"))
	c.expect("lists remove deny 203.0.113.9", refused(1, `"203.0.113.9" is not on the deny list`))
	c.expect("lists remove allow 203.0.113.9", refused(1, `"203.0.113.9" is not on the allow list`))
	c.expect("lists remove deny 203.0.113.x", refused(2, unparsable("203.0.113.x")))
	if got, want := c.read("deny.list"), "# mine\n198.51.100.0/24\n203.0.113.8\n"; got != want {
		t.Errorf("deny list %q, want %q", got, want)
	}
}

const badList = "203.0.113.1\n\n# six good lines\n\n\n\n203.0.113.4/24\nnonsense\n"

func TestBadList(t *testing.T) {
	c := newConsole(t)
	c.write("deny.list", badList)
	for _, line := range []string{"lists add deny 203.0.113.9", "lists remove deny 203.0.113.1", "lists import deny -", "lists show deny"} {
		got := c.runInput("203.0.113.9\n", strings.Fields(line)...)
		if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, `"$DIR/deny.list": line 7: `) || !strings.Contains(got.stderr, "203.0.113.4/24") {
			t.Errorf("%s: %+v, want one line about line 7", line, got)
		}
		if got := c.read("deny.list"); got != badList {
			t.Fatalf("%s changed the file to %q", line, got)
		}
	}
	const seven = `network "203.0.113.4/24" has host bits set: expected the network 203.0.113.0/24 or the address 203.0.113.4`
	eight := unparsable("nonsense")
	c.expect("lists check deny", outcome{code: 1, stderr: "denmap: error: $DIR/deny.list:7: " + seven + "\ndenmap: error: $DIR/deny.list:8: " + eight + "\n"})
	got := c.run("lists", "check", "deny", "--json")
	if got.code != 1 || got.stderr != "" || !strings.Contains(got.stdout, `"ok": false`) || !strings.Contains(got.stdout, `"line": 8`) {
		t.Errorf("lists check --json: %+v", got)
	}
}

func TestListsCheck(t *testing.T) {
	c := newConsole(t)
	c.expect("lists check", said("the allow list is good: 0 entries, 0 warnings", "the deny list is good: 0 entries, 0 warnings"))
	c.write("deny.list", "198.51.100.0/24\n198.51.100.7\n203.0.113.7 until=2026-01-01T00:00:00Z\n")
	c.expect("lists check deny", outcome{
		stdout: "$DIR/deny.list:2: 198.51.100.7 lies in 198.51.100.0/24 of line 1 and changes nothing\n$DIR/deny.list:3: 203.0.113.7 expired 2026-01-01T00:00:00Z\n",
		stderr: "denmap: the deny list is good: 3 entries, 2 warnings\n",
	})
	c.expect("lists check deny --json", outcome{stdout: `{
  "schema": 1,
  "lists": [
    {
      "list": "deny",
      "path": "$DIR/deny.list",
      "ok": true,
      "entries": 3,
      "problems": [],
      "warnings": [
        {
          "line": 2,
          "text": "198.51.100.7 lies in 198.51.100.0/24 of line 1 and changes nothing"
        },
        {
          "line": 3,
          "text": "203.0.113.7 expired 2026-01-01T00:00:00Z"
        }
      ]
    }
  ]
}
`})
}

func TestListsShow(t *testing.T) {
	c := newConsole(t)
	const empty = "denmap: the allow list is empty ($DIR/allow.list)\n"
	c.expect("lists", outcome{stderr: empty + "denmap: the deny list is empty ($DIR/deny.list)\n"})
	c.write("deny.list", "203.0.113.7 until=2026-01-03T00:00:00Z # from \x1b[31mred\n198.51.100.0/24\n")
	if got := c.run("lists", "show"); strings.Contains(got.stdout, "\x1b") {
		t.Errorf("lists show hands a control sequence to the terminal: %q", got.stdout)
	}
	c.write("deny.list", "203.0.113.7 until=2026-01-03T00:00:00Z # from a feed\n198.51.100.0/24\n203.0.113.8 until=2026-01-01T00:00:00Z\n")
	c.expect("lists show", outcome{stderr: empty, stdout: "" +
		"LIST  ADDRESS          VALID                      COMMENT\n" +
		"deny  203.0.113.7      until 2026-01-03 00:00:00  from a feed\n" +
		"deny  198.51.100.0/24  -\n" +
		"deny  203.0.113.8      expired\n"})
	c.expect("lists show deny --json", outcome{stdout: `{
  "schema": 1,
  "lists": [
    {
      "list": "deny",
      "path": "$DIR/deny.list",
      "entries": [
        {
          "prefix": "203.0.113.7",
          "until": "2026-01-03T00:00:00Z",
          "comment": "from a feed",
          "line": 1
        },
        {
          "prefix": "198.51.100.0/24",
          "line": 2
        },
        {
          "prefix": "203.0.113.8",
          "until": "2026-01-01T00:00:00Z",
          "expired": true,
          "line": 3
        }
      ]
    }
  ]
}
`})
	c.expect("lists show allow --json", outcome{stderr: empty, stdout: `{
  "schema": 1,
  "lists": [
    {
      "list": "allow",
      "path": "$DIR/allow.list",
      "entries": []
    }
  ]
}
`})
}

func TestListsImport(t *testing.T) {
	c := newConsole(t)
	c.write("feed", "# feed\n203.0.113.7\n203.0.113.7\n198.51.100.128/25 ; with more\n192.0.2.1\n127.0.0.1\n10.0.0.0/8\n203.0.113.65/26\nnonsense\n")
	want := said(
		"deny list: 3 added, 0 updated, 5 skipped of 9 lines; 3 entries",
		"skipped 1: own", "skipped 1: loopback", "skipped 1: private", "skipped 1: repeated", "skipped 1: invalid",
		"line 9: "+unparsable("nonsense"),
		"1 line had host bits, which were removed", notAttached)
	c.compare("import", c.run("lists", "import", "deny", c.path("feed"), "--comment", "feed"), want)
	if got, want := c.read("deny.list"), "198.51.100.128/25  # feed\n203.0.113.7  # feed\n203.0.113.64/26  # feed\n"; got != want {
		t.Errorf("deny list %q, want %q", got, want)
	}
	c.compare("import -", c.runInput("203.0.113.9\n", "lists", "import", "deny", "-"),
		said("deny list: 1 added, 0 updated, 0 skipped of 1 line; 4 entries", notAttached))
	before := c.read("deny.list")
	got := c.runInput("<html>\n", "lists", "import", "deny", "-")
	if got.code != 1 || !strings.Contains(got.stderr, "no address in the feed") || c.read("deny.list") != before {
		t.Errorf("import of a web page: %+v", got)
	}
	got = c.run("lists", "import", "deny", c.path("none"))
	if got.code != 1 || !strings.Contains(got.stderr, "$DIR/none") {
		t.Errorf("import of a missing file: %+v", got)
	}
}

func TestProgress(t *testing.T) {
	c := newConsole(t)
	c.env.Progress = true
	got := c.runInput("203.0.113.9\n", "lists", "import", "deny", "-")
	if !strings.Contains(got.stderr, "\r\x1b[K") || !strings.HasSuffix(got.stderr, notAttached+"\n") {
		t.Errorf("import on a terminal: %q", got.stderr)
	}
}

// The allow list beats the deny list: whoever writes both hears of it.
func TestDenyOfTheAllowed(t *testing.T) {
	c := newConsole(t)
	c.write("allow.list", "203.0.113.0/24\n")
	c.expect("lists add deny 203.0.113.7", said("203.0.113.7 is on the allow list ($DIR/allow.list, line 1), which beats the deny list",
		"deny list: 1 added, 0 updated, 0 removed; 1 entry", notAttached))
	c.expect("lists check deny", outcome{
		stdout: "$DIR/deny.list:1: 203.0.113.7 lies in 203.0.113.0/24 on line 1 of the allow list, which beats this one\n",
		stderr: "denmap: the deny list is good: 1 entry, 1 warning\n",
	})
}
