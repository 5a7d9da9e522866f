// SPDX-License-Identifier: MIT

package dashboard

import (
	"testing"

	"github.com/chromedp/chromedp"

	"denmap/testenv/chromium"
)

// browser is a headless Chromium that visits the page of a bench. Its methods
// end the test on trouble.
type browser struct {
	*chromium.Browser
	t *testing.T
	b *bench
}

func newBrowser(t *testing.T, b *bench) browser {
	t.Helper()
	br := browser{chromium.New(t, ""), t, b}
	br.Shape(1440, 900, "dark")
	return br
}

// clean wants no error in the console, no refusal by the policy and no
// request to anywhere else.
func (br browser) clean() {
	br.t.Helper()
	br.Clean(br.b.url+"/", "blob:", "about:")
}

// signIn follows a one-time link, as a person would.
func (br browser) signIn() {
	br.t.Helper()
	link, err := br.b.Link()
	if err != nil {
		br.t.Fatal(err)
	}
	br.Do(chromedp.Navigate(link))
	br.Until("signed in", `document.querySelector("#link")?.dataset.state === "live"`)
}

func (br browser) open(path string) {
	br.t.Helper()
	br.Do(chromedp.Navigate(br.b.url + path))
	br.Until("live", `document.querySelector("#link")?.dataset.state === "live"`)
}
