// SPDX-License-Identifier: MIT

package dashboard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"denmap/userspace/config"
)

// shape is a screen that people look at the page on.
type shape struct {
	name, theme   string
	width, height int64
}

var shapes = []shape{
	{"desktop-dark", "dark", 1440, 900}, {"desktop-light", "light", 1440, 900},
	{"phone-dark", "dark", 390, 844}, {"phone-light", "light", 390, 844},
}

// scene is something to look at: what to open, when it is there, and what
// to do then.
type scene struct {
	name, path, ready string
	then              func(browser)
}

func scenes() []scene {
	return []scene{
		{"now", "/", `document.querySelectorAll("#rows tr").length > 20 && document.querySelector("#t-packets").textContent !== "0/s"`, nil},
		{"map", "/map", `document.querySelectorAll("circle").length > 10 && document.querySelectorAll("#places tr").length > 10`, func(br browser) {
			br.Eval(`document.querySelector('circle[data-place="Ashburn, United States"]').dispatchEvent(new MouseEvent("mouseenter")) && ""`)
			br.Until("the tip", `document.querySelector("#tip").innerText.includes("980 scans by 402 sources, 488 banned")`)
		}},
		{"timeline", "/timeline", `document.querySelectorAll("#scans tbody tr").length > 20 && document.querySelector("#chart svg")`, func(br browser) {
			br.Eval(`document.querySelector("#chart").dispatchEvent(new MouseEvent("mousemove", {clientX: innerWidth * .44})) && ""`)
			br.Until("the tip", `/Probes/.test(document.querySelector("#tip").innerText)`)
		}},
		{"source", "/source?address=" + demoAddr(4).Addr().String(), `!document.querySelector("#detail").hidden`, nil},
		{"lists", "/lists", `document.querySelectorAll("#entries tr").length === 3`, nil},
		{"bad-input", "/lists", `document.querySelectorAll("#entries tr").length === 3`, func(br browser) {
			br.Do(fillIn("#addresses", "203.0.113.9/24"))
			br.Until("the message", `document.querySelector("#e-addresses").textContent.includes("host bits set")`)
		}},
		{"settings", "/settings", `document.querySelector("#f-mail-to")`, nil},
		{"question", "/settings", `document.querySelector("#f-mail-to")`, func(br browser) {
			br.Do(clearField("#f-detect-ban_score"), fillIn("#f-detect-ban_score", "5"), click("#save"))
			br.Until("the question", `document.querySelector("#ask").open`)
		}},
		{"toast", "/", `document.querySelectorAll("#rows tr").length > 20`, func(br browser) {
			br.Do(fillIn("#ban-address", "203.0.113.250"), fillIn("#ban-for", "3h"), click("#ban-form button"))
			br.toasted("banned 203.0.113.250")
		}},
		{"health", "/health", `document.querySelectorAll("#tables tr").length > 3`, nil},
	}
}

// emptyScenes are those of a host that nobody has scanned.
func emptyScenes() []scene {
	return []scene{
		{"empty-now", "/", `!document.querySelector("#empty").hidden`, nil},
		{"empty-map", "/map", `!document.querySelector("#empty").hidden`, nil},
		{"empty-timeline", "/timeline", `!document.querySelector("#empty").hidden`, nil},
		{"empty-source", "/source?address=203.0.113.9", `!document.querySelector("#detail").hidden`, nil},
		{"empty-lists", "/lists", `!document.querySelector("#empty").hidden`, nil},
		{"empty-health", "/health", `document.querySelector("#interfaces tr")`, nil},
	}
}

// TestLooks opens every view on screens of both sizes and themes, and looks
// for what must not happen: errors, foreign requests, sideways scrolling,
// text that is hard to read. With DENMAP_SCREENSHOTS=DIR it writes pictures
// there, for people to look at.
func TestLooks(t *testing.T) {
	b := newBench(t)
	b.demo(48)
	b.write("allow.list", "# ours\n198.51.100.7 # monitoring\n203.0.113.0/28 until=2030-01-01T00:00:00Z watch # the office\n2001:db8:aaaa::/48 # VPN\n")
	b.write("deny.list", "192.0.2.128/25 # never again\n198.51.100.200 # abuse 1234\n198.51.100.200\n")
	br := newBrowser(t, b)
	br.signIn()
	for _, s := range shapes {
		br.Shape(s.width, s.height, s.theme)
		for _, scene := range scenes() {
			br.look(s, scene)
		}
	}
	br.clean()
}

func TestEmptyLooks(t *testing.T) {
	b := newBench(t, func(b *bench, _ *Options) { b.config.Mode = config.Monitor })
	br := newBrowser(t, b)
	for _, s := range shapes {
		br.Shape(s.width, s.height, s.theme)
		br.Do(chromedp.Navigate(b.url + "/"))
		br.Until("the sign-in page", `document.title === "Sign in"`)
		br.judge("sign-in", s)
	}
	br.signIn()
	for _, s := range shapes {
		br.Shape(s.width, s.height, s.theme)
		for _, scene := range emptyScenes() {
			br.look(s, scene)
		}
	}
	br.clean()
}

// look opens a scene and judges it.
func (br browser) look(s shape, scene scene) {
	br.t.Helper()
	br.open(scene.path)
	br.Until(scene.name, scene.ready)
	if scene.then != nil {
		scene.then(br)
	}
	br.judge(scene.name, s)
	// Changes that were not saved would be asked about.
	br.Eval(`document.querySelector("#form")?.reset() ?? ""`)
	br.Until("no changes", `document.querySelector("#save")?.disabled ?? true`)
}

// judge measures what is shown.
func (br browser) judge(name string, s shape) {
	br.t.Helper()
	name += "-" + s.name
	if wide := br.Eval("document.documentElement.scrollWidth - innerWidth"); !strings.HasPrefix(wide, "-") && wide != "0" {
		br.t.Errorf("%s is %s pixels too wide", name, wide)
	}
	// On a phone, what proves a scan scrolls in its frame.
	if wide := br.Eval(`[...document.querySelectorAll(".tablewrap")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.innerText.slice(0, 40))`); wide != "" && (s.width > 1000 || !strings.Contains(name, "source")) {
		br.t.Errorf("%s: a table does not fit: %s", name, wide)
	}
	if pale := br.Eval(paleText); pale != "" {
		br.t.Errorf("%s: too little contrast: %s", name, pale)
	}
	dir := os.Getenv("DENMAP_SCREENSHOTS")
	if dir == "" {
		return
	}
	time.Sleep(350 * time.Millisecond) // bars that grow are not what people look at
	picture, err := chromedp.Run(br.Context(), chromedp.CaptureScreenshot())
	if err != nil {
		br.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
		br.t.Fatal(err)
	}
}

// paleText lists texts whose contrast to what is behind them is below what
// WCAG 2.2 AA wants: 4.5, or 3 for large text. Disabled controls are exempt
// there, and so are emoji and what is only for those who hear.
const paleText = `(() => {
	const parse = (c) => {
		const n = c.match(/[\d.]+/g).map(Number);
		return {r: n[0], g: n[1], b: n[2], a: n[3] ?? 1};
	};
	const over = (top, below) => ({r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1});
	const light = ({r, g, b}) => [r, g, b].map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const ground = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.a > 0) layers.push(c);
			if (c.a === 1) break;
		}
		return layers.reverse().reduce((below, top) => over(top, below), {r: 255, g: 255, b: 255, a: 1});
	};
	const bad = new Map();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const texts = [];
	while (walker.nextNode()) texts.push([walker.currentNode.parentElement, walker.currentNode.data.trim(), ""]);
	document.querySelectorAll("[placeholder]").forEach((e) => texts.push([e, e.placeholder, "::placeholder"]));
	for (const [e, text, part] of texts) {
		if (!text || !/[\p{L}\p{N}]/u.test(text) || !e.checkVisibility() || e.closest(":disabled, .vh, .skip, script, noscript")) continue;
		const style = getComputedStyle(e, part || null);
		const svg = e instanceof SVGElement;
		let color = parse(svg ? style.fill : style.color);
		let opacity = part ? Number(style.opacity) : 1;
		for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
		const below = ground(e);
		color = over({...color, a: color.a * opacity}, below);
		const [x, y] = [light(color), light(below)].sort((p, q) => q - p);
		const ratio = (x + .05) / (y + .05);
		const size = parseFloat(style.fontSize);
		const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
		if (ratio < (large ? 3 : 4.5)) bad.set(e.tagName + "." + (e.className.baseVal ?? e.className) + part, ratio.toFixed(2) + " " + text.slice(0, 30));
	}
	return [...bad].map(([where, what]) => where + ": " + what).join("; ");
})()`
