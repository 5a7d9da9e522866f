// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/lists"
	"denmap/userspace/notify"
)

// Shorthands for what a person does.
func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func fillIn(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

func clearField(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const f = document.querySelector(%q); f.value = ""; f.dispatchEvent(new Event("input", {bubbles: true})); }`, selector))
}

func (br browser) toasted(text string) {
	br.t.Helper()
	br.Until(text, fmt.Sprintf(`document.querySelector("#toasts").innerText.includes(%q)`, text))
}

// TestBrowserSignIn: with a link, with a wrong one, with one that was used,
// and out again.
func TestBrowserSignIn(t *testing.T) {
	b := newBench(t)
	br := newBrowser(t, b)
	br.Do(chromedp.Navigate(b.url + "/map"))
	br.Until("the sign-in page", `document.title === "Sign in"`)
	br.Do(fillIn("#token", "wrong"), click("button"))
	br.Until("a refusal", `document.querySelector("#said").textContent.includes("not valid")`)
	link, err := b.Link()
	if err != nil {
		t.Fatal(err)
	}
	// Pasted, it leads to where the visitor wanted to go.
	br.Do(clearField("#token"), fillIn("#token", link), click("button"))
	br.Until("the map", `location.pathname === "/map" && document.querySelector("#link")?.dataset.state === "live"`)

	br.Do(click("#sign-out"))
	br.Until("signed out", `document.title === "Sign in"`)
	br.Do(chromedp.Navigate(link))
	br.Until("a used link", `document.querySelector("#said").textContent.includes("used already")`)
	if at := br.Eval("location.href"); strings.Contains(at, "#") {
		t.Errorf("the token is still in the address bar: %s", at)
	}
	br.signIn()
	if at := br.Eval("location.pathname + location.hash"); at != "/" {
		t.Errorf("signed in at %s", at)
	}
	if got := br.Eval("document.cookie"); got != "" {
		t.Errorf("scripts see the cookie %q", got)
	}
	// A key that is gone, or not ours, leads back to the sign-in page.
	br.Do(chromedp.Evaluate[chromedp.Void](`localStorage.setItem("denmap-key", "x"); location.assign("/health")`))
	br.Until("signed out", `document.title === "Sign in"`)
	br.clean()
}

// TestBrowserScanAppears within a second and without a reload, with place
// and action.
func TestBrowserScanAppears(t *testing.T) {
	b := newBench(t)
	br := newBrowser(t, b)
	br.signIn()
	br.Until("nobody", `document.querySelector("#empty").textContent === "Nobody is probing this host."`)
	br.Do(chromedp.Evaluate[chromedp.Void](`window.sameDocument = true`))
	took := time.Hour
	for i := 0; i < 3 && took > time.Second; i++ { // another may keep the machine busy
		source := fmt.Sprintf("203.0.113.%d", 9+i)
		now := b.clock.now()
		b.kernel.set(nil, []event.Ban{{Source: prefix(source), Grade: event.Proven, Since: now, Until: now.Add(10 * time.Minute)}})
		sent := time.Now()
		b.Handle(scanEvent(source, event.SourceBanned, now))
		br.Until("the scan", fmt.Sprintf(`document.querySelector('#rows [data-source="%s"][data-state="banned"]')`, source))
		took = min(took, time.Since(sent))
		t.Logf("%s is shown after %v", source, time.Since(sent))
	}
	if took > time.Second {
		t.Errorf("shown after %v, want within a second", took)
	}
	row := br.Eval(`document.querySelector('#rows [data-source="203.0.113.9"]').innerText`)
	for _, want := range []string{"United Kingdom", "🇬🇧", "Example Networks", "syn", "nmap", "banned, 10 min", "Unban", "8"} {
		if !strings.Contains(row, want) {
			t.Errorf("no %q in the row %q", want, row)
		}
	}
	if br.Eval("window.sameDocument") != "true" {
		t.Error("the page was reloaded")
	}
	// The daemon is gone, and comes back: the page says so.
	b.hub.mu.Lock()
	for s := range b.hub.streams {
		delete(b.hub.streams, s)
		close(s.out)
	}
	b.hub.mu.Unlock()
	br.Until("lost", `document.querySelector("#link").dataset.state === "connecting"`)
	br.Until("back", `document.querySelector("#link").dataset.state === "live"`)
	br.clean()
}

// TestBrowserActions: ban, unban, allow and deny, each with undo, and the
// question before what could cut the host off.
func TestBrowserActions(t *testing.T) {
	b := newBench(t)
	b.kernel.set([]event.Source{{Prefix: prefix("203.0.113.9"), First: time.Now(), Last: time.Now(), Score: 3, Distinct: 3}}, nil)
	br := newBrowser(t, b)
	br.signIn()
	button := func(text string) string { return fmt.Sprintf(`[aria-label="%s 203.0.113.9"]`, text) }
	banned := func() bool { _, ok := b.kernel.banned(t, "203.0.113.9"); return ok }

	br.Do(click(button("Ban")))
	br.toasted("banned 203.0.113.9 for 10m")
	br.Until("the row", `document.querySelector("#rows .state").innerText.startsWith("banned")`)
	if !banned() {
		t.Error("not banned")
	}
	br.Do(click("#toasts .toast button"))
	br.toasted("undone")
	eventually(t, "the ban to be taken back", func() bool { return !banned() })
	br.Until("the row", `!document.querySelector("#rows .state")?.innerText.startsWith("banned")`)

	br.Do(fillIn("#ban-address", "203.0.113.9"), fillIn("#ban-for", "3h"), click("#ban-form button"))
	br.toasted("for 3h")
	br.Until("unban", fmt.Sprintf(`document.querySelector('%s')`, button("Unban")))
	br.Do(click(button("Unban")))
	br.toasted("unbanned 203.0.113.9")
	eventually(t, "the ban to be lifted", func() bool { return !banned() })

	br.Do(fillIn("#ban-address", "203.0.113.0/24"), click("#ban-form button"))
	br.Until("the message", `document.querySelector("#ban-said").textContent.includes("expected one address")`)
	if br.Eval(`document.activeElement.id + document.activeElement.getAttribute("aria-invalid")`) != "ban-addresstrue" {
		t.Error("the field is not pointed to")
	}
	br.Do(clearField("#ban-address"), fillIn("#ban-address", "192.0.2.254"), click("#ban-form button"))
	br.Until("the question", `document.querySelector("#ask").open && document.querySelector("#ask").innerText.includes("it is a gateway")`)
	br.Do(click("#ask-no"))
	br.Until("no", `!document.querySelector("#ask").open`)
	if _, ok := b.kernel.banned(t, "192.0.2.254"); ok {
		t.Error("banned without a yes")
	}

	b.kernel.set([]event.Source{{Prefix: prefix("203.0.113.9"), First: time.Now(), Last: time.Now(), Score: 3, Distinct: 3}}, nil)
	br.Until("the row", fmt.Sprintf(`document.querySelector('%s')`, button("Allow")))
	br.Do(click(button("Allow")))
	br.toasted("allow list: 1 added")
	if list, err := lists.Load(b.path("allow.list"), lists.Allow); err != nil || len(list.Entries) != 1 {
		t.Errorf("allow list: %v", err)
	}
	br.Do(click(button("Deny")))
	br.toasted("deny list: 1 added")
	br.Do(click("#toasts .toast:last-child button"))
	br.toasted("undone: the deny list is as before")
	if text := b.read("deny.list"); strings.Contains(text, "203.0.113.9") {
		t.Errorf("deny list:\n%s", text)
	}
	br.clean()
}

// TestBrowserLists: bad input is explained beside the field while it is
// typed, and good input goes into the file.
func TestBrowserLists(t *testing.T) {
	b := newBench(t)
	b.write("deny.list", "198.51.100.0/24 # old\n")
	br := newBrowser(t, b)
	br.signIn()
	br.open("/lists?list=deny")
	br.Until("the entry", `document.querySelectorAll("#entries tr").length === 1`)
	br.Do(fillIn("#addresses", "203.0.113.9/24"))
	br.Until("the message", `document.querySelector("#e-addresses").textContent.includes("host bits set: expected the network 203.0.113.0/24")`)
	if br.Eval(`document.querySelector("#addresses").getAttribute("aria-invalid")`) != "true" {
		t.Error("the field is not marked")
	}
	br.Do(clearField("#addresses"), fillIn("#addresses", "198.51.100.7"))
	br.Until("the note", `document.querySelector("#e-addresses").textContent.includes("lies in 198.51.100.0/24")`)
	br.Do(clearField("#addresses"), fillIn("#addresses", "203.0.113.9"), fillIn("#comment", "abuse"), fillIn("#for", "soon"), click("#add-button"))
	br.Until("the message", `document.querySelector("#e-for").textContent.includes("soon")`)
	br.Do(clearField("#for"), fillIn("#for", "8h"), click("#add-button"))
	br.toasted("deny list: 1 added")
	br.Until("the entries", `document.querySelectorAll("#entries tr").length === 2`)
	if text := b.read("deny.list"); !strings.Contains(text, "203.0.113.9 until=") || !strings.Contains(text, "# abuse") {
		t.Errorf("file:\n%s", text)
	}
	br.Do(fillIn("#addresses", "192.0.2.254"), click("#add-button"))
	br.Until("the question", `document.querySelector("#ask").open`)
	br.Do(click("#ask-no"))
	br.Do(click(`[aria-label="Remove 203.0.113.9"]`))
	br.toasted("1 removed")
	br.Until("the entries", `document.querySelectorAll("#entries tr").length === 1`)

	br.Do(chromedp.Evaluate[chromedp.Void](`{
		const files = new DataTransfer();
		files.items.add(new File(["203.0.113.1\n203.0.113.2\n10.0.0.0/8\n"], "feed.txt", {type: "text/plain"}));
		document.querySelector("#file").files = files.files;
		document.querySelector("#import").requestSubmit();
	}`))
	br.Until("the import", `document.querySelector("#imported").innerText.includes("2 added") && document.querySelector("#imported").innerText.includes("skipped 1: private")`)
	br.Until("the entries", `document.querySelectorAll("#entries tr").length === 3`)
	br.Do(fillIn("#search", "198.51.100.77"))
	br.Until("the search", `document.querySelectorAll("#entries tr").length === 1`)
	br.Do(click(`[data-list="allow"]`), clearField("#search"))
	br.Until("the other list", `document.querySelector("#empty").textContent === "The allow list is empty."`)
	br.clean()
}

// TestBrowserSettings: a bad value has its message, a risky one its
// question, and mail arrives with the password that was typed once.
func TestBrowserSettings(t *testing.T) {
	server := newMailServer(t)
	b := newBench(t, func(b *bench, o *Options) {
		o.TestMail = func(ctx context.Context, c config.Config) ([]notify.TestResult, error) {
			return notify.Test(ctx, notify.Options{
				Host: c.Mail.Host, Port: c.Mail.ServerPort(), TLS: notify.TLSNone, Username: c.Mail.Username, PasswordFile: c.Mail.PasswordFile,
				From: c.Mail.From, To: c.Mail.To, StateDir: c.StateDir, Hostname: o.Hostname,
			})
		}
	})
	b.history.impact = history.Impact{Scans: 12, Sources: 9, Examples: []history.Scan{{Scan: event.Scan{Source: prefix("203.0.113.9"), Score: 6, Last: time.Now()}}}}
	br := newBrowser(t, b)
	br.signIn()
	br.open("/settings")
	br.Until("the form", `document.querySelector("#f-mail-to")`)
	br.Do(clearField("#f-detect-ban_score"), fillIn("#f-detect-ban_score", "3"))
	br.Until("the message", `document.querySelector("#f-detect-ban_score-said").textContent.includes("at least detect.alert_score")`)
	br.Do(clearField("#f-detect-ban_score"), fillIn("#f-detect-ban_score", "5"), click("#save"))
	br.Until("the question", `document.querySelector("#ask").open && document.querySelector("#ask").innerText.includes("9 sources in about 12 scans")`)
	if !strings.Contains(br.Eval(`document.querySelector("#ask").innerText`), "203.0.113.9") {
		t.Error("no example in the question")
	}
	br.Do(click("#ask-no"))
	if b.read(pageFile) != "" {
		t.Error("saved without a yes")
	}
	br.Do(click("#save"))
	br.Until("the question", `document.querySelector("#ask").open`)
	br.Do(click("#ask-yes"))
	br.toasted("saved, and in force")
	if b.config.Detect.BanScore != 5 {
		t.Errorf("ban score %d", b.config.Detect.BanScore)
	}

	br.Until("the form again", `document.querySelector("#save").disabled`)
	const secret = "correct horse"
	br.Do(fillIn("#f-mail-host", server.host), clearField("#f-mail-port"), fillIn("#f-mail-port", server.port), fillIn("#f-mail-username", "me"),
		chromedp.SetValue(chromedp.CSS("#f-mail-tls"), "none"), fillIn("#f-password", secret), fillIn("#f-mail-from", "denmap@host.example"), fillIn("#f-mail-to", "admin@site.example"), click("#mail-test"))
	br.Until("accepted", `document.querySelector("#mail-said").innerText.includes("accepted")`)
	select {
	case l := <-server.letters:
		if l.user != "me" || l.password != secret || !strings.Contains(l.to, "admin@site.example") || !strings.Contains(l.data, "Subject:") {
			t.Errorf("letter = %+v", l)
		}
	case <-time.After(10 * time.Second):
		t.Error("no mail arrived")
	}
	if page := br.Eval(`document.documentElement.outerHTML + [...document.querySelectorAll("input")].map((i) => i.value)`); strings.Contains(page, secret) {
		t.Error("the page shows the password")
	}
	br.clean()
}

// hostile is what a network could call itself.
const hostile = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"'><svg/onload=window.pwned=1>`

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

// TestBrowserKeyboard: everything without a mouse, and what is heard.
func TestBrowserKeyboard(t *testing.T) {
	b := newBench(t)
	b.demo(10)
	br := newBrowser(t, b)
	br.signIn()
	br.Until("rows", `document.querySelectorAll("#rows tr").length > 5`)
	br.Do(chromedp.KeyEvent(kb.Tab))
	if got := br.Eval("document.activeElement.className"); got != "skip" {
		t.Errorf("the first stop is %q, want the skip link", got)
	}
	br.Do(chromedp.KeyEvent(kb.Enter))
	if got := br.Eval("document.activeElement.id"); got != "main" {
		t.Errorf("the skip link leads to %q", got)
	}
	br.Do(chromedp.Focus(chromedp.CSS(`[data-column="source"] button`)), chromedp.KeyEvent(kb.Enter))
	br.Until("sorted", `document.querySelector('[data-column="source"]').getAttribute("aria-sort") === "ascending"`)
	// The rows follow the head by a frame.
	br.Until("the order", `(() => {
		const order = [...document.querySelectorAll("#rows tr")].map((r) => r.dataset.source);
		return order[0].startsWith("192.0.2.") && order.some((s) => s.startsWith("198.51.100.")) && order.at(-1).startsWith("2001:db8:");
	})()`)
	// A focused row stays under the focus while values change.
	// By script: a row may be drawn anew between finding and focusing it.
	br.Eval(`document.querySelector("#rows tr:nth-child(2) button").focus() ?? "done"`)
	focused := br.Eval(`document.activeElement.getAttribute("aria-label")`)
	now := b.clock.now()
	b.Handle(scanEvent("192.0.2.1", event.ScanDetected, now))
	br.Until("the new row", `document.querySelector('[data-source="192.0.2.1"]')`)
	if got := br.Eval(`document.activeElement.getAttribute("aria-label")`); got != focused {
		t.Errorf("the focus went from %s to %s", focused, got)
	}

	br.open("/timeline")
	br.Until("the chart", `document.querySelector("#chart svg")`)
	br.Do(chromedp.Focus(chromedp.CSS("#chart")), chromedp.KeyEvent(kb.ArrowLeft), chromedp.KeyEvent(kb.ArrowLeft))
	br.Until("the value", `/probes, .*alerts, .*bans, .*drops/.test(document.querySelector("#value").textContent)`)
	br.Until("the tip", `!document.querySelector("#tip").hidden`)
	br.Do(click("details.values summary"))
	br.Until("the table", `document.querySelectorAll("#values tbody tr").length === 96`)
	br.Do(click(`[data-span="week"]`))
	br.Until("the week", `location.search.includes("span=week") && document.querySelector('[data-span="week"]').getAttribute("aria-pressed") === "true"`)

	// Every control has a name, and every table head a scope.
	for _, path := range []string{"/", "/map", "/timeline", "/lists", "/settings", "/health", "/source?address=203.0.113.27"} {
		br.open(path)
		br.Until("ready", `document.readyState === "complete"`)
		unnamed := br.Eval(`[...document.querySelectorAll("button, input, select, textarea, a[href]")].filter((e) => !e.closest("[hidden], dialog") &&
			!(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length || e.title)).map((e) => e.outerHTML)`)
		if unnamed != "" {
			t.Errorf("%s: without a name: %s", path, unnamed)
		}
		if n := br.Eval(`document.querySelectorAll("th:not([scope])").length + document.querySelectorAll("table:not(:has(caption))").length`); n != "0" {
			t.Errorf("%s: %s tables or heads that say nothing", path, n)
		}
		if n := br.Eval(`document.querySelectorAll("h1").length + "," + document.querySelectorAll("main").length + "," + document.querySelectorAll("nav").length + "," + document.querySelectorAll('[aria-current="page"]').length`); n != "1,1,1,1" && !strings.HasPrefix(path, "/source") {
			t.Errorf("%s: landmarks %s", path, n)
		}
	}
	br.clean()
}

// TestBrowserTheme: what the user chooses beats the system, and stays.
func TestBrowserTheme(t *testing.T) {
	b := newBench(t)
	br := newBrowser(t, b)
	br.signIn()
	color := func() string { return br.Eval("getComputedStyle(document.body).backgroundColor") }
	br.Shape(1200, 800, "light")
	light := color()
	br.Shape(1200, 800, "dark")
	dark := color()
	if light == dark {
		t.Fatalf("the system's choice makes no difference: %s", light)
	}
	br.Do(click("#theme"), click("#theme")) // dark, then light
	if got := color(); got != light {
		t.Errorf("chosen light is %s, want %s", got, light)
	}
	br.open("/health")
	if got := color(); got != light {
		t.Errorf("the choice is forgotten: %s", got)
	}
	br.Do(click("#theme"))
	if got := color(); got != dark {
		t.Errorf("the system's choice is %s again, want %s", got, dark)
	}
	br.clean()
}

// TestMapPlaces: a circle for each place, where package worldmap would put
// it, one for what a country has besides, and none for the South Pole.
func TestMapPlaces(t *testing.T) {
	b := newBench(t)
	b.history.countries = []history.CountryTotal{{ISO: "GB", Name: "United Kingdom", Scans: 9, Sources: 5, Banned: 4}, {ISO: "MX", Name: "Mexico", Scans: 2, Sources: 1}, {ISO: "AU", Name: "Australia", Scans: 1, Sources: 1}}
	b.history.places = []history.PlaceTotal{
		{Latitude: 51.5, Longitude: -0.25, ISO: "GB", City: "London", Scans: 6, Sources: 4, Banned: 3},
		{Latitude: 19.4, Longitude: -99.1, ISO: "MX", City: "Mexico City", Scans: 2, Sources: 1},
		{Latitude: -33.9, Longitude: 151.2, ISO: "AU", City: "Sydney", Scans: 1, Sources: 1},
		{Latitude: 60, Longitude: 179, City: "Nowhere", Scans: 1, Sources: 1},
		{Latitude: -90, ISO: "AQ", City: "Pole", Scans: 1, Sources: 1},
	}
	br := newBrowser(t, b)
	br.signIn()
	br.open("/map")
	br.Until("circles", `document.querySelectorAll("circle").length === 5`)
	got := br.Eval(`[...document.querySelectorAll("circle")].map((c) => c.dataset.place + " " + Math.round(c.cx.baseVal.value) + " " + Math.round(c.cy.baseVal.value)).sort().join("; ")`)
	const want = "London, United Kingdom 999 126; Mexico City, Mexico 464 339; Nowhere 1749 81; Sydney, Australia 1771 729; United Kingdom, elsewhere "
	if !strings.HasPrefix(got, want) {
		t.Errorf("circles %q, want %q", got, want)
	}
	// The rest of a country is told without sources, which are not known.
	br.Eval(`document.querySelector('circle[data-place="United Kingdom, elsewhere"]').dispatchEvent(new MouseEvent("mouseenter")) && ""`)
	br.Until("the tip", `document.querySelector("#tip").innerText.includes("elsewhere") && document.querySelector("#tip").innerText.trim().endsWith("3 scans")`)
	br.Eval(`[...document.querySelectorAll("#places tr")].find((r) => r.innerText.includes("Sydney")).dispatchEvent(new MouseEvent("mouseenter")) && ""`)
	br.Until("the place's circle", `document.querySelector("circle.on")?.dataset.place === "Sydney, Australia"`)
	br.clean()
}

// TestBrowserCapture downloads packet headers, with the policy in force.
func TestBrowserCapture(t *testing.T) {
	b := newBench(t)
	b.demo(10)
	br := newBrowser(t, b)
	br.signIn()
	dir := t.TempDir()
	if _, err := chromedp.CallBrowser(br.Context(), browserdomain.SetDownloadBehavior, browserdomain.SetDownloadBehaviorParams{
		Behavior: "allow", DownloadPath: dir,
	}); err != nil {
		t.Fatal(err)
	}
	source := demoAddr(4).Addr().String()
	br.open("/source?address=" + source)
	br.Until("the button", `!document.querySelector("#download").hidden`)
	br.Do(click("#download"))
	eventually(t, "the file", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "denmap-"+source+".pcap"))
		return err == nil && string(data) == "\xd4\xc3\xb2\xa1pcap"
	})
	br.clean()
}
