// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestClean(t *testing.T) {
	rows := []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 10, "plain"},
		{"a\r\nBcc: b", 20, "a Bcc: b"},
		{"  a \t\n b  ", 20, "a b"},
		{"a\x00b\x1b[31mc", 20, "a b [31mc"},
		{"safe\u202eevil\u200b", 20, "safeevil"},
		{"\xff\xfe", 20, "??"},
		{"0123456789", 4, "0123..."},
		{"Zürich", 20, "Zürich"},
		{"", 5, ""},
	}
	for _, row := range rows {
		if got := clean(row.in, row.limit); got != row.want {
			t.Errorf("clean(%q, %d) = %q, want %q", row.in, row.limit, got, row.want)
		}
	}
}

// Whatever a database, an operator or a server says, a message shows it as
// text in its place.
func TestHostileTextIsShownAsText(t *testing.T) {
	const evil = "<script>alert(1)</script>\r\nBcc: x@example.org\r\n\r\n{{.}}\u202e"
	w := newWorld(t, func(o *Options) { o.Hostname = evil })
	e := w.scan(event.SourceBanned, "203.0.113.7")
	e.Reason, e.Interface = evil, evil
	e.Scan.Transport = evil
	e.Scan.Place = event.Place{CountryISO: evil, Country: evil, City: evil, ASNumber: 1, ASName: evil, Special: evil}
	w.handle(e)
	w.n.Notice(Notice{Class: ClassConfig, Key: evil, Text: evil})
	w.run(time.Minute)
	e = w.scan(event.ScanDetected, "203.0.113.8")
	e.Scan.Place = event.Place{Country: evil, ASNumber: 2, ASName: evil}
	w.handle(e)
	w.handle(event.Event{Time: w.clock.Now(), Action: event.ListChanged, List: &event.ListChange{List: evil}, Reason: evil})
	w.run(2 * time.Hour)
	if len(w.mails()) != 2 {
		t.Fatalf("mails = %q", subjects(w.mails()))
	}
	for _, m := range append(append(w.mails(), w.sent["webhook"]...), w.sent["slack"]...) {
		if strings.ContainsAny(m.Subject, "\r\n\u202e") || len(m.Subject) > 4*maxSubject {
			t.Errorf("subject = %q", m.Subject)
		}
		if strings.Contains(m.HTML, "<script>") || strings.ContainsAny(m.HTML+m.Text+m.Short, "\r\u202e") {
			t.Errorf("html = %s\ntext = %s", m.HTML, m.Text)
		}
		for line := range strings.Lines(m.Text + "\n" + m.Short) {
			if strings.HasPrefix(line, "Bcc:") {
				t.Errorf("a line break got through:\n%s", m.Text)
			}
		}
		if m.Body != nil && !json.Valid(m.Body) {
			t.Errorf("body = %s", m.Body)
		}
	}
}

func TestBodiesWithoutTheCallersEvent(t *testing.T) {
	w := newWorld(t, nil)
	w.n.Handle(w.scan(event.SourceBanned, "203.0.113.7"), []byte("not json"))
	w.n.Notice(Notice{Class: ClassTableFull, Key: "sources", Text: "full"})
	w.run(time.Minute)
	hooks := w.sent["webhook"]
	if len(hooks) != 2 {
		t.Fatalf("%d bodies, want 2", len(hooks))
	}
	for i, want := range []string{`"action":"source-banned"`, `"action":"table-full"`} {
		if !strings.Contains(string(hooks[i].Body), want) || !strings.Contains(string(hooks[i].Body), `"ecs":{"version":"8.11"}`) {
			t.Errorf("body = %s, want %s", hooks[i].Body, want)
		}
	}
}

// A flood with forged sources cannot grow the digest without bound.
func TestDigestIsBounded(t *testing.T) {
	w := newWorld(t, nil)
	d := newDigest("1")
	r := Rules{}
	base := w.scan(event.ScanDetected, "203.0.113.1")
	addr := netip.MustParseAddr("2001:db8::")
	const n = maxTallies + 1000
	for i := range n {
		b := addr.As16()
		b[4], b[5], b[14], b[15] = byte(i>>16), byte(i>>8), byte(i), byte(i>>3)
		b[12], b[13] = byte(i>>8), byte(i>>16)
		s := *base.Scan
		s.Source = netip.PrefixFrom(netip.AddrFrom16(b), 128)
		s.Place = event.Place{Country: string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676%26))}
		e := base
		e.Scan = &s
		d.add(e, r.Decide(e, start), false, start)
	}
	if len(d.Tallies) != maxTallies || len(d.Details) > maxDetails || len(d.Networks) > maxNetworks+1 || len(d.Countries) > maxPlaces+1 {
		t.Errorf("tallies %d, details %d, networks %d, countries %d", len(d.Tallies), len(d.Details), len(d.Networks), len(d.Countries))
	}
	if d.Events != n || d.Beyond != n-maxTallies || d.Untold != maxTallies {
		t.Errorf("events %d, beyond %d, untold %d", d.Events, d.Beyond, d.Untold)
	}
	// What matters still finds room.
	e := w.scan(event.SourceBanned, "203.0.113.77")
	e.Scan.Grade = event.Proven
	delete(d.Tallies, netip.PrefixFrom(addr, 128))
	for p := range d.Tallies {
		delete(d.Tallies, p)
		break
	}
	d.add(e, r.Decide(e, start), false, start)
	v := d.view(time.UTC)
	if len(v.Top) == 0 || v.Top[0].Address != "203.0.113.77" || !v.AtLeast {
		t.Errorf("top = %+v", v.Top)
	}
	data, err := json.Marshal(d)
	if err != nil || len(data) > maxState/2 {
		t.Errorf("state takes %d bytes (%v)", len(data), err)
	}
	m, hook, err := composer{host: "web1", loc: time.UTC}.digest(d, "", start)
	if err != nil || len(m.Text)+len(m.HTML)+len(hook.Body) > maxMessage || len([]rune(m.Short)) > maxShort {
		t.Errorf("message takes %d + %d + %d bytes (%v)", len(m.Text), len(m.HTML), len(hook.Body), err)
	}
}

func TestRules(t *testing.T) {
	w := newWorld(t, nil)
	scan := func(action event.Action, source string, change func(*event.Scan)) event.Event {
		e := w.scan(action, source)
		if change != nil {
			change(e.Scan)
		}
		return e
	}
	recently := start.Add(-time.Hour)
	rows := []struct {
		name  string
		rules Rules
		e     event.Event
		last  time.Time
		want  Decision
	}{
		{"crafted packets", Rules{}, scan(event.ScanDetected, "203.0.113.1", func(s *event.Scan) { s.Score = 2 }), time.Time{}, Decision{InDigest, 1, "", ""}},
		{"alert", Rules{}, scan(event.ScanDetected, "203.0.113.1", nil), recently, Decision{InDigest, 3, "", ""}},
		{"first alert", Rules{}, scan(event.ScanDetected, "203.0.113.1", nil), time.Time{}, Decision{Now, 3, ClassFirst, ""}},
		{"blind ban", Rules{}, scan(event.SourceBanned, "203.0.113.1", nil), recently, Decision{InDigest, 5, "", ""}},
		{"proven ban", Rules{}, scan(event.SourceBanned, "203.0.113.1", func(s *event.Scan) { s.Grade = event.Proven }), recently, Decision{InDigest, 7, "", ""}},
		{"protected", Rules{}, scan(event.SourceBanned, "203.0.113.1", func(s *event.Scan) { s.Protected = true }), recently, Decision{Now, 9, ClassProtected, "203.0.113.1/32"}},
		{"private", Rules{}, scan(event.ScanDetected, "192.168.1.1", nil), recently, Decision{Now, 9, ClassInternal, "192.168.1.1/32"}},
		{"link-local", Rules{}, scan(event.ScanDetected, "fe80::1", nil), recently, Decision{Now, 9, ClassInternal, "fe80::1/128"}},
		{"configured as internal", Rules{Internal: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}, scan(event.ScanDetected, "203.0.113.1", nil), recently, Decision{Now, 9, ClassInternal, "203.0.113.1/32"}},
		{"watched and protected", Rules{}, scan(event.SourceBanned, "192.168.1.1", func(s *event.Scan) { s.Watched, s.Protected = true, true }), time.Time{}, Decision{Never, 9, "", ""}},
		{"below the minimum", Rules{MinSeverity: 5}, scan(event.ScanDetected, "203.0.113.1", nil), time.Time{}, Decision{Never, 3, "", ""}},
		{"overridden", Rules{Actions: map[event.Action]When{event.ScanDetected: Never}}, scan(event.ScanDetected, "203.0.113.1", nil), time.Time{}, Decision{Never, 3, ClassFirst, ""}},
		{"list edit at once, if asked", Rules{Actions: map[event.Action]When{event.ListChanged: Now}}, event.Event{ID: "x", Action: event.ListChanged, List: &event.ListChange{}}, start, Decision{Now, 1, "list-changed", "x"}},
		{"list edit", Rules{}, event.Event{Action: event.ListChanged, List: &event.ListChange{}}, start, Decision{InDigest, 1, "", ""}},
		{"detached", Rules{}, event.Event{Action: event.Detached, Interface: "eth0", Reason: "link is gone"}, start, Decision{Now, 9, ClassUnguarded, "eth0"}},
		{"interface let go of", Rules{}, event.Event{Action: event.Detached, Interface: "eth0", Reason: event.ReasonStopped + ": by operator"}, start, Decision{Note, 1, "", ""}},
		{"detached on purpose", Rules{}, event.Event{Action: event.Detached, Interface: "eth0", Reason: event.ReasonStopped}, start, Decision{Note, 1, "", ""}},
		{"lost", Rules{}, event.Event{Action: event.EventsLost, Lost: &event.Loss{Stage: "queue"}}, start, Decision{Now, 7, ClassLost, "queue"}},
		{"unbanned", Rules{}, scan(event.SourceUnbanned, "203.0.113.1", nil), time.Time{}, Decision{Note, 1, "", ""}},
	}
	for _, row := range rows {
		if got := row.rules.Decide(row.e, row.last); got != row.want {
			t.Errorf("%s: %+v, want %+v", row.name, got, row.want)
		}
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	credentials := filepath.Join(dir, "credentials")
	if err := os.Mkdir(credentials, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(credentials, "link")
	if err := os.Symlink(write("outside", "geheim", 0o644), link); err != nil {
		t.Fatal(err)
	}
	write("credentials/mail", "from systemd\n", 0o440)
	rows := []struct{ path, want, problem string }{
		{write("good", "pass word \n", 0o600), "pass word ", ""},
		{write("narrow", "p", 0o400), "p", ""},
		{write("dos", "p\r\n", 0o600), "p", ""},
		{"mail", "from systemd", ""},
		{"$CREDENTIALS_DIRECTORY/mail", "from systemd", ""},
		{filepath.Join(credentials, "mail"), "from systemd", ""},
		{write("group", "geheim", 0o640), "", "want 0600"},
		{write("world", "geheim", 0o604), "", "want 0600"},
		{write("empty", "\n", 0o600), "", "empty"},
		{write("lines", "geheim\ngeheim\n", 0o600), "", "more than one line"},
		{write("large", strings.Repeat("geheim", 1000), 0o600), "", "longer than"},
		{filepath.Join(dir, "missing"), "", "no such file"},
		{dir, "", "not a regular file"},
		{fifo, "", "not a regular file"},
		{link, "", "want 0600"},
		{credentials + "/../group", "", "want 0600"},
	}
	for _, row := range rows {
		got, err := ReadSecret(row.path, credentials)
		if got != row.want || (err == nil) != (row.problem == "") {
			t.Errorf("%s: %q, %v", row.path, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), row.problem) || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%s: %v, want %q", row.path, err, row.problem)
		}
	}
	if _, err := ReadSecret("mail", ""); err == nil || !strings.Contains(err.Error(), "passed no credentials") {
		t.Errorf("without credentials: %v", err)
	}
}
