// SPDX-License-Identifier: MIT

package dashboard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	browserdomain "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"denmap/userspace/event"
	"denmap/userspace/history"
)

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
