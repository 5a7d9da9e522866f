// SPDX-License-Identifier: MIT

package dashboard

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

// TestBrowserHostileText: script in names, comments and reasons stays text,
// in every view.
func TestBrowserHostileText(t *testing.T) {
	b := newBench(t)
	now := b.clock.now()
	place := event.Place{CountryISO: "GB", Country: hostile, City: hostile, ASNumber: 64500, ASName: hostile}
	e := scanEvent("203.0.113.9", event.SourceBanned, now)
	e.Scan.Place, e.Reason, e.Interface = place, hostile, hostile
	b.kernel.set(nil, []event.Ban{{Source: prefix("203.0.113.9"), Grade: event.Manual, Since: now, Until: now.Add(time.Hour), Reason: hostile}})
	b.Handle(e)
	b.history.scans = []history.Scan{{ID: "1", Action: history.Action(hostile), Reason: hostile, Interface: hostile, Scan: *e.Scan}}
	b.history.bans = []history.Ban{{ID: "1", Source: prefix("203.0.113.9"), Since: now, Reason: hostile, EndReason: hostile, Ended: now}}
	b.history.countries = []history.CountryTotal{{ISO: "GB", Name: hostile, Scans: 3}, {ISO: hostile, Name: hostile, Scans: 1}}
	b.history.impact = history.Impact{Scans: 1, Sources: 1, Examples: b.history.scans}
	b.evidence.source = prefix("203.0.113.9")
	b.evidence.proof.Probes = []Probe{{Time: now, Kind: hostile, Outcome: hostile, Detail: hostile, Reason: hostile}}
	b.monitor.health.Interfaces[0] = Interface{Name: hostile, Hook: hostile, Mode: hostile, Problem: hostile}
	b.monitor.health.Versions = []Fact{{hostile, hostile}}
	b.monitor.health.Tables = []Table{{Name: hostile, Capacity: 1}}
	b.monitor.health.Config = ConfigHealth{File: hostile, Error: hostile}
	b.monitor.health.Mail = &notify.Status{Enabled: true, LastError: hostile}
	b.monitor.counters = []Counter{{hostile, "pass", hostile, 1}}
	b.write("allow.list", "203.0.113.9 # "+hostile+"\n203.0.113.9\n")
	br := newBrowser(t, b)
	br.signIn()
	for path, ready := range map[string]string{
		"/": `document.querySelectorAll("#rows tr").length`, "/map": `document.querySelectorAll("#countries tr").length`,
		"/timeline?source=" + "203.0.113.9": `document.querySelectorAll("#scans tbody tr").length`, "/source?address=203.0.113.9": `document.querySelectorAll("#probes tr").length`,
		"/lists": `document.querySelectorAll("#entries tr").length`, "/health": `document.querySelectorAll("#tables tr").length`,
	} {
		br.open(path)
		br.Until(path, ready)
		if text := br.Eval(`document.querySelector("main").innerText`); !strings.Contains(text, "onerror=") && path != "/" {
			t.Errorf("%s does not show the text: %s", path, text)
		}
		if n := br.Eval(`document.querySelectorAll("main img, main script, main svg[onload]").length`); n != "0" {
			t.Errorf("%s: %s elements were made of texts", path, n)
		}
		if br.Eval("window.pwned") != "undefined" {
			t.Fatalf("%s ran a script from the network", path)
		}
	}
	// What a visitor sends is shown to nobody, but goes into answers.
	c := b.signIn()
	c.do("GET", "/", nil, header("User-Agent", hostile)).want(http.StatusOK)
	r := c.do("GET", "/api/v1/source?address=<script>alert(1)</script>", nil).want(http.StatusUnprocessableEntity)
	if r.Header.Get("Content-Type") != "application/json" || strings.Contains(r.body, "<script>") {
		t.Errorf("%s: %s", r.Header.Get("Content-Type"), r.body)
	}
	br.open("/source?address=" + "%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E")
	br.Until("the refusal", `document.querySelector("#said").textContent.includes("<img")`)
	if br.Eval("window.pwned") != "undefined" {
		t.Error("the address line ran a script")
	}
	br.clean()
}

// TestBrowserForeign: another site in the same browser, and a name that
// resolves to this host.
func TestBrowserForeign(t *testing.T) {
	b := newBench(t)
	br := newBrowser(t, b)
	br.signIn()
	attack := fmt.Sprintf(`
		const tries = [];
		const send = (path, options) => tries.push(fetch(%q + path, {credentials: "include", ...options}).then(async (r) => r.type + r.status, () => "failed"));
		send("/api/v1/bans", {method: "POST", body: '{"source":"203.0.113.9"}', headers: {"Content-Type": "application/json", "X-DenMap-Key": "x"}});
		send("/api/v1/bans", {method: "POST", mode: "no-cors", body: '{"source":"203.0.113.9"}'});
		send("/api/v1/now", {});
		send("/api/v1/now", {mode: "no-cors"});
		send("/", {});
		window.done = Promise.all(tries).then((all) => { window.results = all.join(); });
		const form = document.createElement("form");
		form.method = "post"; form.action = %q + "/api/v1/bans"; form.enctype = "text/plain"; form.target = "frame";
		const frame = document.createElement("iframe"); frame.name = "frame"; document.body.append(frame, form);
		const field = document.createElement("input"); field.name = '{"source":"203.0.113.9","reason":"'; field.value = '"}'; form.append(field);
		form.submit();`, b.url, b.url)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><body><script>%s</script>", attack)
	}))
	defer site.Close()
	br.Do(chromedp.Navigate(site.URL))
	br.Until("the attack", `window.results`)
	// What a foreign page gets to see is nothing, or an answer without
	// content that the browser keeps from it.
	for _, result := range strings.Split(br.Eval("window.results"), ",") {
		if result != "failed" && result != "opaque0" {
			t.Errorf("a foreign page saw %s", result)
		}
	}
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("a foreign page banned %v", bans)
	}
	br.Do(chromedp.Navigate(strings.Replace(b.url, "127.0.0.1", "rebind.localhost", 1) + "/"))
	br.Until("the refusal", `document.body.innerText.includes("no such host here")`)
	br.open("/")
}
