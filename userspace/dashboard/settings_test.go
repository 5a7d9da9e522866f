// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

const pageFile = "conf.d/" + PageFile

// value returns one setting of an answer.
func value(t *testing.T, r reply, key string) map[string]any {
	t.Helper()
	for _, s := range r.get("settings").([]any) {
		if one := s.(map[string]any); one["key"] == key {
			return one
		}
	}
	t.Fatalf("no %s in %s", key, r.body)
	return nil
}

func TestSettingsShow(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("conf.d/10-team.yaml", "detect: {ban_score: 9}\n")
	b.write(pageFile, "detect: {alert_score: 3}\n")
	b.write("conf.d/90-last.yaml", "mail: {max_per_day: 5}\n")
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
	r := c.do("GET", "/api/v1/settings", nil).want(http.StatusOK)
	if n := len(r.get("settings").([]any)); n != len(pageKeys()) {
		t.Errorf("%d settings, want %d", n, len(pageKeys()))
	}
	for key, want := range map[string][2]any{
		"detect.alert_score": {3.0, "page"}, "detect.ban_score": {9.0, b.path("conf.d/10-team.yaml")},
		"mail.max_per_day": {5.0, b.path("conf.d/90-last.yaml")}, "ban.duration": {"10m", "default"}, "mode": {"enforce", "default"},
	} {
		got := value(t, r, key)
		if got["value"] != want[0] || got["from"] != want[1] {
			t.Errorf("%s = %v from %v, want %v", key, got["value"], got["from"], want)
		}
		if locked := got["locked"] != nil; locked != (key == "mail.max_per_day") {
			t.Errorf("%s: locked %v", key, got["locked"])
		}
		if got["in_force"] != nil || got["description"] == "" || got["range"] == "" {
			t.Errorf("%s: %v", key, got)
		}
	}
	b.write(pageFile, "detect: {alert_score: 2}\n")
	r = c.do("GET", "/api/v1/settings", nil).want(http.StatusOK)
	if got := value(t, r, "detect.alert_score"); got["value"] != 2.0 || got["in_force"] != 3.0 {
		t.Errorf("a file that was not reloaded: %v", got)
	}
	b.write("conf.d/10-team.yaml", "detect: {ban_score: many}\n")
	r = c.do("GET", "/api/v1/settings", nil).want(http.StatusOK)
	if r.get("problems", 0, "key") != "detect.ban_score" {
		t.Errorf("a bad file: %s", r.body)
	}
}

func TestSettingsSave(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	main := b.read("denmap.yaml")
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{
		"detect.ban_score": "12", "ban.duration": "1h", "mail.host": "smtp.example", "mail.to": []string{"admin@site.example", "team@site.example"}, "mail.digest": "2h",
	}}).want(http.StatusOK, "saved, and in force")
	if b.config.Detect.BanScore != 12 || b.config.Mail.Host != "smtp.example" || len(b.config.Mail.To) != 2 || b.reloads != 1 {
		t.Errorf("config = %+v after %d reloads", b.config, b.reloads)
	}
	if b.read("denmap.yaml") != main {
		t.Error("the main file was rewritten")
	}
	want := pageHead + "detect:\n  ban_score: 12\nban:\n  duration: 1h\nmail:\n  host: smtp.example\n  to: [admin@site.example, team@site.example]\n  digest: 2h\n"
	if got := b.read(pageFile); got != want {
		t.Errorf("page file:\n%s\nwant:\n%s", got, want)
	}
	if info, err := os.Stat(b.path(pageFile)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// What is as without the page's file does not stand in it, and null
	// takes a key back.
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"ban.duration": "10m", "mail.digest": nil, "mail.to": []string{}, "mail.host": ""}}).want(http.StatusOK)
	if got := b.read(pageFile); got != pageHead+"detect:\n  ban_score: 12\n" {
		t.Errorf("page file:\n%s", got)
	}
}

// TestSettingsRefused: nothing is written, and each problem names its key.
func TestSettingsRefused(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("conf.d/90-last.yaml", "mail: {max_per_day: 5}\n")
	for _, row := range []struct {
		changes map[string]any
		key     string
		text    string
	}{
		{map[string]any{"detect.ban_score": "many"}, "detect.ban_score", `\"many\": expected a whole number from 1 to 32`},
		{map[string]any{"detect.ban_score": "3"}, "detect.ban_score", "at least detect.alert_score, which is 4"},
		{map[string]any{"ban.duration": "2d"}, "ban.duration", "at most ban.max_duration"},
		{map[string]any{"mail.host": "smtp.example"}, "mail.host", "mail.to to be set too"},
		{map[string]any{"mail.host": "smtp.example", "mail.to": []string{"nobody"}}, "mail.to[0]", "nobody"},
		{map[string]any{"mail.username": "me"}, "mail.username", "mail.password_file to be set too"},
		{map[string]any{"mode": "off"}, "mode", "enforce or monitor"},
		{map[string]any{"mail.host": "smtp.example\nmode: monitor"}, "mail.host", "expected"},
		{map[string]any{"mail.max_per_day": "7"}, "mail.max_per_day", "90-last.yaml, which is read after"},
		{map[string]any{"mail.max_per_day": 7}, "mail.max_per_day", ""},
		{map[string]any{"ban.multiplier": 7}, "ban.multiplier", "expected a text"},
		{map[string]any{"mail.to": []any{1}}, "mail.to", "expected a list of texts"},
		{map[string]any{"mail.password_file": "/etc/shadow"}, "mail.password_file", "does not write this key"},
		{map[string]any{"dashboard.listen": "0.0.0.0:80"}, "dashboard.listen", "does not write this key"},
		{map[string]any{"lists.allow": "/etc/passwd"}, "lists.allow", "does not write this key"},
		{map[string]any{"log.path": "/x"}, "log.path", "does not write this key"},
		{map[string]any{"state_dir": "/x"}, "state_dir", "does not write this key"},
		{map[string]any{"notify.urls": []string{"x"}}, "notify.urls", "does not write this key"},
		{map[string]any{"no.such": "x"}, "no.such", "does not write this key"},
	} {
		for _, request := range []struct{ method, path string }{{"PUT", "/api/v1/settings"}, {"POST", "/api/v1/settings/check"}} {
			r := c.do(request.method, request.path, map[string]any{"changes": row.changes}).want(http.StatusUnprocessableEntity, row.text)
			if r.status == http.StatusUnprocessableEntity && r.get("details", "problems", 0, "key") != row.key {
				t.Errorf("%v: %s, want a problem of %s", row.changes, r.body, row.key)
			}
		}
	}
	if b.read(pageFile) != "" || b.reloads != 0 {
		t.Errorf("refused, but written:\n%s", b.read(pageFile))
	}
	b.write(pageFile, "lists: {allow: /elsewhere}\n")
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"ban.duration": "1h"}}).want(http.StatusInternalServerError, "which the page does not write")
}

// TestPassword goes into a file of its own and comes back nowhere.
func TestPassword(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	const secret = "correct horse: battery # staple"
	account := map[string]any{"mail.host": "smtp.example", "mail.to": []string{"admin@site.example"}, "mail.username": "me"}
	r := c.do("PUT", "/api/v1/settings", map[string]any{"changes": account, "password": secret}).want(http.StatusOK)
	if strings.Contains(r.body, "horse") {
		t.Error("the answer holds the password")
	}
	info, err := os.Stat(b.path("state/" + PasswordFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("password file: %v, %v", info, err)
	}
	if got, err := notify.ReadSecret(b.config.Mail.PasswordFile, ""); err != nil || got != secret {
		t.Errorf("password %q, %v", got, err)
	}
	for _, path := range []string{"/api/v1/settings", "/api/v1/health", "/api/v1/now", "/settings"} {
		if r := c.do("GET", path, nil); strings.Contains(r.body, "horse") {
			t.Errorf("GET %s shows the password", path)
		}
	}
	if r := c.do("GET", "/api/v1/settings", nil); r.get("password", "set") != true {
		t.Errorf("password is not said to be set: %v", r.get("password"))
	}
	if strings.Contains(b.read(pageFile), "horse") || !strings.Contains(b.read(pageFile), "password_file: "+b.path("state/"+PasswordFile)) {
		t.Errorf("page file:\n%s", b.read(pageFile))
	}
	// A file that others may read is closed before a new password goes in.
	if err := os.Chmod(b.path("state/"+PasswordFile), 0o644); err != nil {
		t.Fatal(err)
	}
	c.do("PUT", "/api/v1/settings", map[string]any{"password": "another"}).want(http.StatusOK)
	if info, err := os.Stat(b.path("state/" + PasswordFile)); err != nil || info.Mode().Perm() != 0o600 || b.read("state/"+PasswordFile) != "another\n" {
		t.Errorf("replaced password: %v, %v", info, err)
	}
	for _, bad := range []string{"two\nlines", "nul\x00", strings.Repeat("x", 2000)} {
		c.do("PUT", "/api/v1/settings", map[string]any{"password": bad}).want(http.StatusUnprocessableEntity)
	}
	c.do("PUT", "/api/v1/settings", map[string]any{"password": ""}).want(http.StatusUnprocessableEntity, "mail.username")
	c.do("PUT", "/api/v1/settings", map[string]any{"password": "", "changes": map[string]any{"mail.username": nil}}).want(http.StatusOK)
	if _, err := os.Stat(b.path("state/" + PasswordFile)); !os.IsNotExist(err) || b.config.Mail.PasswordFile != "" {
		t.Errorf("the password is still there: %v, %q", err, b.config.Mail.PasswordFile)
	}
}

// TestPasswordAlone: the main file names a password file of its own, which
// the page leaves alone until a password is set on the page.
func TestPasswordElsewhere(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("conf.d/10-mail.yaml", "mail: {host: smtp.example, to: [admin@site.example], username: me, password_file: "+b.path("own-password")+"}\n")
	b.write("own-password", "ours\n")
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"mail.username": "you"}}).want(http.StatusOK)
	if strings.Contains(b.read(pageFile), "password_file") || b.config.Mail.PasswordFile != b.path("own-password") {
		t.Errorf("page file:\n%s", b.read(pageFile))
	}
	c.do("PUT", "/api/v1/settings", map[string]any{"password": "new"}).want(http.StatusOK)
	if b.read("own-password") != "ours\n" || b.config.Mail.PasswordFile != b.path("state/"+PasswordFile) {
		t.Errorf("password file %q", b.config.Mail.PasswordFile)
	}
}

// TestRisks asks before more sources are banned, with what the history
// says, and takes yes for exactly what it asked.
func TestRisks(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	b.write("denmap.yaml", b.read("denmap.yaml")+"mode: monitor\n")
	b.history.impact = history.Impact{Scans: 12, Sources: 9, Examples: []history.Scan{{ID: "1", Scan: event.Scan{Source: prefix("203.0.113.9"), Score: 9, Place: event.Place{Country: "United Kingdom"}}}}}
	enforce := map[string]any{"mode": "enforce"}
	r := c.do("PUT", "/api/v1/settings", map[string]any{"changes": enforce}).want(http.StatusConflict, "please confirm", "9 sources in about 12 scans would have been banned", "203.0.113.9", "United Kingdom")
	if b.read(pageFile) != "" || b.history.score != 8 || b.history.udpScore != 16 {
		t.Errorf("written before it was confirmed, or asked about scores of %d and %d", b.history.score, b.history.udpScore)
	}
	confirm := r.get("details", "confirm")
	check := c.do("POST", "/api/v1/settings/check", map[string]any{"changes": enforce}).want(http.StatusOK)
	if check.get("confirm") != confirm || check.get("risks", 0, "key") != "mode" {
		t.Errorf("check = %s", check.body)
	}
	// The yes was about something else.
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"mode": "enforce", "detect.ban_score": "5"}, "confirm": confirm}).want(http.StatusConflict)
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": enforce, "confirm": "yes"}).want(http.StatusConflict)
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": enforce, "confirm": confirm}).want(http.StatusOK)
	if b.config.Mode != config.Enforce {
		t.Errorf("mode = %s", b.config.Mode)
	}
	for _, row := range []struct {
		changes map[string]any
		keys    []string
		text    string
		asked   [2]int // the last scores the history was asked about
	}{
		{map[string]any{"detect.ban_score": "5"}, []string{"detect.ban_score"}, "but were not", [2]int{5, never}},
		{map[string]any{"detect.udp_ban_score": "10"}, []string{"detect.udp_ban_score"}, "but were not", [2]int{never, 10}},
		{map[string]any{"detect.alert_score": "2"}, []string{"detect.alert_score"}, "not stored", [2]int{}},
		{map[string]any{"detect.decay": "1d"}, []string{"detect.decay"}, "within one point", [2]int{7, 15}},
		{map[string]any{"detect.ban_score": "6", "detect.udp_ban_score": "9", "detect.udp_alert_score": "2"}, []string{"detect.ban_score", "detect.udp_ban_score", "detect.udp_alert_score"}, "", [2]int{never, 9}},
		{map[string]any{"detect.ban_score": "20", "detect.alert_score": "5", "detect.decay": "1m", "ban.duration": "1m"}, nil, "", [2]int{}},
	} {
		b.history.score, b.history.udpScore = 0, 0
		r := c.do("POST", "/api/v1/settings/check", map[string]any{"changes": row.changes}).want(http.StatusOK, row.text)
		if asked := [2]int{b.history.score, b.history.udpScore}; asked != row.asked {
			t.Errorf("%v: asked about %v, want %v", row.changes, asked, row.asked)
		}
		risks := r.get("risks").([]any)
		if len(risks) != len(row.keys) {
			t.Errorf("%v: %d risks: %s", row.changes, len(risks), r.body)
			continue
		}
		for i, key := range row.keys {
			if r.get("risks", i, "key") != key {
				t.Errorf("%v: risk %v, want %s", row.changes, r.get("risks", i, "key"), key)
			}
		}
	}
	b.history.impact = history.Impact{}
	c.do("POST", "/api/v1/settings/check", map[string]any{"changes": map[string]any{"detect.udp_ban_score": "10"}}).want(http.StatusOK, "no scan that was not banned reached a UDP score of 10")
	b.history.countries = []history.CountryTotal{{ISO: "GB", Scans: 10, Sources: 4, Banned: 7}}
	c.do("POST", "/api/v1/settings/check", map[string]any{"changes": map[string]any{"mode": "monitor"}}).want(http.StatusOK, "7 scans ended in a ban")
	b.history.fail = history.ErrUnavailable
	c.do("POST", "/api/v1/settings/check", map[string]any{"changes": map[string]any{"mode": "monitor"}}).want(http.StatusOK, "not available at the moment")
}

// TestSettingsReloadFails: written, but the daemon did not take it.
func TestSettingsReloadFails(t *testing.T) {
	b := newBench(t, func(b *bench, o *Options) { o.Reload = failing })
	c := b.signIn()
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"ban.duration": "1h"}}).want(http.StatusOK, "saved, but not in force", "the daemon is busy")
}

var errBusy = errors.New("the daemon is busy")

func TestMailTest(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	c.do("POST", "/api/v1/mail/test", map[string]any{}).want(http.StatusConflict, "no mail server is set")
	c.do("PUT", "/api/v1/settings", map[string]any{"changes": map[string]any{"mail.host": "smtp.example", "mail.to": []string{"admin@site.example"}}}).want(http.StatusOK)
	b.mails = []notify.TestResult{{Target: "mail"}}
	c.do("POST", "/api/v1/mail/test", map[string]any{}).want(http.StatusOK, "the test message was accepted")
	if len(b.tested) != 1 || b.tested[0].Mail.Host != "smtp.example" {
		t.Errorf("tested %+v", b.tested)
	}
	b.mails = append(b.mails, notify.TestResult{Target: "chat", Err: errBusy, Explanation: "nobody listens there"})
	c.do("POST", "/api/v1/mail/test", map[string]any{}).want(http.StatusOK, "1 of 2 destinations did not take", "the daemon is busy", "nobody listens there")
}
