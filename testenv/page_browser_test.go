// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"denmap/testenv/chromium"
)

// browser is a headless Chromium on a host of the lab. Its methods end the
// test on trouble.
type browser struct {
	*chromium.Browser
	t *testing.T
}

// newBrowser starts Chromium in the host's network, where the page's
// loopback address is.
func newBrowser(t *testing.T, h *Host) browser {
	t.Helper()
	return browser{chromium.New(t, h.NetworkNamespace()), t}
}

// click clicks what has that accessible name.
func (b browser) click(label string) {
	b.t.Helper()
	b.Do(chromedp.Click(chromedp.CSS(fmt.Sprintf(`[aria-label=%q]`, label))))
}

// open goes to an address and waits until the page there runs, or asks to
// sign in.
func (b browser) open(url string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(url))
	b.Until("live page", `document.title === "Sign in" || document.querySelector("#link")?.dataset.state === "live"`)
}

// fill types a text into an empty field.
func (b browser) fill(selector, text string) {
	b.t.Helper()
	b.Eval(fmt.Sprintf(`((field) => { field.value = ""; field.dispatchEvent(new Event("input", {bubbles: true})); })(document.querySelector(%q))`, selector))
	b.Do(chromedp.SendKeys(chromedp.CSS(selector), text))
}
