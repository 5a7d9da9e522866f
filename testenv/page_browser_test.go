// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for anything: machines that run
// all tests at once are slow. What has to be quick is measured by itself.
const patience = time.Minute

// browser is a headless Chromium on a host of the lab. Its methods end the
// test on trouble.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // in the console
	requests []string // addresses of all that was asked for
}

// browserPath finds Chromium. A machine without it fails the test, as
// without a scanner; DENMAP_LAB_ALLOW_MISSING=1 skips it.
func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = `find "chromium": not installed; apt-get install chromium`
	if os.Getenv("DENMAP_LAB_ALLOW_MISSING") == "1" {
		t.Skip(missing)
	}
	t.Fatal(missing + " (DENMAP_LAB_ALLOW_MISSING=1 skips instead)")
	return ""
}

// newBrowser starts Chromium in the host's network, where the page's
// loopback address is. The test speaks with it over a pipe, so the host's
// network sees nothing but what a visitor would send; its end is the end
// of the browser.
func newBrowser(t *testing.T, h *Host) *browser {
	t.Helper()
	chromium, nsenter := browserPath(t), mustTool(t, "nsenter")
	program := filepath.Join(t.TempDir(), "chromium")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --net='/proc/%d/ns/net' -- '%s' \"$@\"\n", nsenter, h.keeper.cmd.Process.Pid, chromium)
	// Written by another process, for the reason that installDenmap has.
	write := exec.Command("/bin/sh", "-c", `cat >"$0" && chmod 755 "$0"`, program)
	write.Stdin = strings.NewReader(script)
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write %q: %v: %s", program, err, out)
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless,
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("no-proxy-server", true),
	)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		ending, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := chromedp.Cancel(ending); err != nil {
			t.Logf("end browser: %v", err)
		}
		stop()
		stopAlloc()
	})
	b := &browser{t: t, ctx: ctx}
	err := chromedp.Listen(ctx, b.listen)
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatalf("start browser on %q: %v", h.Name, err)
	}
	b.do(chromedp.EmulateViewport(1440, 900))
	return b
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *cdplog.EventEntryAdded:
		// What the daemon refuses, such as a visit before the sign-in, is
		// logged as an error too.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			b.problems = append(b.problems, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// clean wants no error in the console and no request to anywhere but the
// page.
func (b *browser) clean(page string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Errorf("console: %s", problem)
	}
	for _, url := range b.requests {
		if !strings.HasPrefix(url, page) {
			b.t.Errorf("request to %s", url)
		}
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page says:\n%s", err, b.eval("document.body.innerText"))
	}
}

// click clicks what has that accessible name.
func (b *browser) click(label string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(fmt.Sprintf(`[aria-label=%q]`, label))))
}

// until waits for a JavaScript expression to become true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	err := until(b.ctx, patience, func() error {
		yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && !yes {
			err = errNotYet(what)
		}
		return err // while a page is being left, there is nothing to ask
	})
	if err != nil {
		b.t.Fatalf("%v; the page says:\n%s", err, b.eval("document.body.innerText"))
	}
}

// eval returns the value of a JavaScript expression as a text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// open goes to an address and waits until the page there runs, or asks to
// sign in.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.until("live page", `document.title === "Sign in" || document.querySelector("#link")?.dataset.state === "live"`)
}

// fill types a text into an empty field.
func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`((field) => { field.value = ""; field.dispatchEvent(new Event("input", {bubbles: true})); })(document.querySelector(%q))`, selector))
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}
