// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

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
	br.Eval(`(() => { window.network = window.fetch; window.fetch = () => Promise.reject(new Error("down")); })() ?? ""`)
	b.hub.mu.Lock()
	for s := range b.hub.streams {
		delete(b.hub.streams, s)
		close(s.out)
	}
	b.hub.mu.Unlock()
	br.Until("lost", `document.querySelector("#link").dataset.state === "connecting"`)
	br.Until("the notice", `!document.querySelector("#problems").hidden && document.querySelector("#problems").textContent.startsWith("The daemon has not answered since ")`)
	br.Eval(`(() => { window.fetch = window.network; })() ?? ""`)
	br.Until("back", `document.querySelector("#link").dataset.state === "live" && document.querySelector("#problems").hidden`)
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
