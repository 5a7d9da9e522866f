// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestListAdd(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("allow.list", "# keep this\n203.0.113.1 # old\n")
	r := c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.9, 2001:db8::/48", "comment": "the office", "for": "8h", "watch": true}).
		want(http.StatusOK, "allow list: 2 added, 0 updated, 0 removed; 3 entries")
	text := b.read("allow.list")
	for _, part := range []string{"# keep this\n203.0.113.1 # old\n", "203.0.113.9", "2001:db8::/48", "watch", "# the office", "until="} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK)
	if text := b.read("allow.list"); text != "# keep this\n203.0.113.1 # old\n" {
		t.Errorf("after undo:\n%s", text)
	}
	again := c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.1", "comment": "old"}).want(http.StatusOK, "is on the allow list already")
	if again.get("undo") != nil {
		t.Error("nothing changed, but there is an undo")
	}
	c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.0/24"}).want(http.StatusOK)
	c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.77"}).want(http.StatusOK, "lies in 203.0.113.0/24")
}

// TestListUpdateUndo puts back what an entry was before.
func TestListUpdateUndo(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("allow.list", "203.0.113.1 watch # old\n")
	r := c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.1", "comment": "new"}).want(http.StatusOK, "1 updated")
	if text := b.read("allow.list"); strings.Contains(text, "watch") || !strings.Contains(text, "# new") {
		t.Errorf("updated to %q", text)
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK)
	if text := b.read("allow.list"); !strings.Contains(text, "watch") || !strings.Contains(text, "# old") {
		t.Errorf("after undo %q", text)
	}
}

// TestListRefusals: the messages of the command line, each with its field,
// and the file as it was.
func TestListRefusals(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("deny.list", "198.51.100.1\n")
	for _, row := range []struct {
		list   string
		body   map[string]any
		status int
		field  string
		text   string
	}{
		{"allow", map[string]any{"addresses": "203.0.113.9/24"}, 422, "addresses", `network \"203.0.113.9/24\" has host bits set: expected the network 203.0.113.0/24`},
		{"allow", map[string]any{"addresses": "203.0.113.1 nonsense"}, 422, "addresses", `address \"nonsense\": expected`},
		{"allow", map[string]any{"addresses": ""}, 422, "addresses", "expected an address"},
		{"allow", map[string]any{"addresses": "203.0.113.1", "for": "8 hours"}, 422, "for", "8 hours"},
		{"allow", map[string]any{"addresses": "203.0.113.1", "comment": "a\nb"}, 422, "comment", ""},
		{"deny", map[string]any{"addresses": "203.0.113.1", "watch": true}, 422, "watch", "for the allow list"},
		{"deny", map[string]any{"addresses": "192.0.2.254"}, 409, "addresses", `deny \"192.0.2.254\": it is a gateway`},
		{"deny", map[string]any{"addresses": "192.0.2.0/24"}, 409, "addresses", "it contains 192.0.2."},
	} {
		for _, path := range []string{"/api/v1/lists/" + row.list, "/api/v1/lists/" + row.list + "/check"} {
			r := c.do("POST", path, row.body).want(row.status, row.text)
			if got := r.get("field"); got != row.field {
				t.Errorf("%v: field %v, want %s", row.body, got, row.field)
			}
			if forced := r.get("force") == true; forced != (row.status == 409) {
				t.Errorf("%v: force %v", row.body, forced)
			}
		}
	}
	if b.read("deny.list") != "198.51.100.1\n" || b.read("allow.list") != "" {
		t.Error("refused, but the files changed")
	}
	c.do("POST", "/api/v1/lists/deny", map[string]any{"addresses": "192.0.2.254", "force": true}).want(http.StatusOK)
	c.do("POST", "/api/v1/lists/gray", map[string]any{"addresses": "192.0.2.1"}).want(http.StatusNotFound)
	c.do("GET", "/api/v1/lists/gray", nil).want(http.StatusNotFound)
}

func TestListCheck(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("allow.list", "203.0.113.0/24\n203.0.113.7\n")
	c.do("POST", "/api/v1/lists/allow/check", map[string]any{"addresses": "203.0.113.7 203.0.113.8 198.51.100.1"}).
		want(http.StatusOK, "3 addresses to add", "203.0.113.7 is on the allow list already (line 2)", "203.0.113.8 lies in 203.0.113.0/24")
	if b.read("allow.list") != "203.0.113.0/24\n203.0.113.7\n" {
		t.Error("a check changed the file")
	}
}

func TestListRemove(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("deny.list", "# head\n198.51.100.1 # first\n198.51.100.0/24\n")
	r := c.do("DELETE", "/api/v1/lists/deny?address=198.51.100.1", nil).want(http.StatusOK, "1 removed; 1 entry")
	if text := b.read("deny.list"); text != "# head\n198.51.100.0/24\n" {
		t.Errorf("after remove:\n%s", text)
	}
	c.do("POST", "/api/v1/undo", map[string]any{"undo": r.get("undo")}).want(http.StatusOK)
	if text := b.read("deny.list"); !strings.Contains(text, "198.51.100.1  # first") {
		t.Errorf("after undo:\n%s", text)
	}
	c.do("DELETE", "/api/v1/lists/deny?address=198.51.100.9", nil).want(http.StatusNotFound, `is not on the deny list, but \"198.51.100.0/24\" on line`)
	c.do("DELETE", "/api/v1/lists/deny?address=x", nil).want(http.StatusUnprocessableEntity)
}

func TestListShow(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	r := c.do("GET", "/api/v1/lists/allow", nil).want(http.StatusOK)
	if r.get("missing") != true || r.get("total") != 0.0 {
		t.Errorf("no file: %s", r.body)
	}
	b.write("allow.list", "203.0.113.1 # one\n203.0.113.0/24 until=2020-01-01T00:00:00Z\n2001:db8::/32 watch # Two\n203.0.113.1\n")
	r = c.do("GET", "/api/v1/lists/allow", nil).want(http.StatusOK)
	if r.get("total") != 4.0 || r.get("entries", 0, "address") != "203.0.113.1" || r.get("entries", 0, "line") != 4.0 ||
		r.get("entries", 1, "watch") != true || r.get("entries", 2, "expired") != true || r.get("entries", 3, "comment") != "one" {
		t.Errorf("list = %s", r.body)
	}
	if !strings.Contains(r.body, "line 4:") {
		t.Errorf("no warning of the duplicate in %s", r.body)
	}
	for search, want := range map[string]float64{"two": 1, "203.0.113.77": 1, "203.0.113.": 3, "2001:db8:1::1": 1, "nothing": 0} {
		if r := c.do("GET", "/api/v1/lists/allow?search="+search, nil).want(http.StatusOK); r.get("matching") != want {
			t.Errorf("search %q: %v, want %v", search, r.get("matching"), want)
		}
	}
	r = c.do("GET", "/api/v1/lists/allow?limit=1&offset=1", nil).want(http.StatusOK)
	if len(r.get("entries").([]any)) != 1 || r.get("entries", 0, "line") != 3.0 {
		t.Errorf("second page = %s", r.body)
	}
	for _, query := range []string{"limit=-1", "limit=x", "limit=100000", "offset=-1"} {
		c.do("GET", "/api/v1/lists/allow?"+query, nil).want(http.StatusUnprocessableEntity, "whole number")
	}
	b.write("allow.list", "203.0.113.1\nnonsense\n")
	r = c.do("GET", "/api/v1/lists/allow", nil).want(http.StatusOK)
	if !strings.Contains(r.get("refused", 0).(string), "line 2:") {
		t.Errorf("a bad file: %s", r.body)
	}
	c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "203.0.113.5"}).want(http.StatusConflict, "line 2")
}

func TestListImport(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("deny.list", "198.51.100.1\n")
	feed := "# feed\n198.51.100.1\n198.51.100.2 extra\n203.0.113.9/24\n192.0.2.254\n10.0.0.0/8\n127.0.0.1\n0.0.0.0/0\nnonsense\n"
	r := c.do("POST", "/api/v1/lists/deny/import?comment=feed&for=1w", strings.NewReader(feed)).want(http.StatusOK, "2 added", "skipped", "had host bits", "line 9")
	if r.get("total") != 3.0 || r.get("added") != 2.0 {
		t.Errorf("import = %s", r.body)
	}
	if text := b.read("deny.list"); !strings.Contains(text, "203.0.113.0/24") || strings.Contains(text, "192.0.2.254") || !strings.Contains(text, "# feed") {
		t.Errorf("file:\n%s", text)
	}
	c.do("POST", "/api/v1/lists/deny/import?force=true", strings.NewReader("192.0.2.254\n")).want(http.StatusOK, "1 added")
	c.do("POST", "/api/v1/lists/deny/import", strings.NewReader("<html>404</html>\n")).want(http.StatusUnprocessableEntity, "no address in the feed")
	c.do("POST", "/api/v1/lists/deny/import?for=never", strings.NewReader("192.0.2.254\n")).want(http.StatusUnprocessableEntity)
	c.do("POST", "/api/v1/lists/deny/import", strings.NewReader(strings.Repeat("# "+strings.Repeat("x", 4000)+"\n", importBody/4000))).want(http.StatusRequestEntityTooLarge)
}

// TestWaitingChange refuses to edit what a command may take back soon.
func TestWaitingChange(t *testing.T) {
	waiting := ""
	b := newBench(t, func(_ *bench, o *Options) {
		o.Waiting = func(what string) error {
			if what == waiting {
				return errors.New("another change waits to be confirmed for 45s more: additions to the deny list")
			}
			return nil
		}
	})
	c := b.signIn()
	b.write("deny.list", "198.51.100.1\n")
	undo := c.do("POST", "/api/v1/lists/deny", map[string]any{"addresses": "198.51.100.2"}).want(http.StatusOK).get("undo")
	before := b.read("deny.list")
	waiting = "deny"
	const text = "another change waits to be confirmed for 45s more"
	c.do("POST", "/api/v1/lists/deny", map[string]any{"addresses": "198.51.100.3"}).want(http.StatusConflict, text)
	c.do("DELETE", "/api/v1/lists/deny?address=198.51.100.1", nil).want(http.StatusConflict, text)
	c.do("POST", "/api/v1/lists/deny/import", map[string]any{}).want(http.StatusConflict, text)
	c.do("POST", "/api/v1/undo", map[string]any{"undo": undo}).want(http.StatusConflict, text)
	if after := b.read("deny.list"); after != before {
		t.Errorf("the list is now %q", after)
	}
	c.do("POST", "/api/v1/lists/allow", map[string]any{"addresses": "198.51.100.3"}).want(http.StatusOK)
	waiting = "config"
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"ban.duration": "20m"}}).want(http.StatusConflict, text)
}
