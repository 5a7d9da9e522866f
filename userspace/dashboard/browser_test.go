// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for anything: machines that run
// all tests at once are slow. What has to be quick is measured by itself.
const patience = time.Minute

// browser is a real headless Chromium, with what it complained about.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
	outside  []string // requests to anywhere but the page
}

// newBrowser starts one. A machine without Chromium fails, unless
// DENMAP_LAB_ALLOW_MISSING=1.
func newBrowser(t *testing.T, b *bench) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("DENMAP_LAB_ALLOW_MISSING") == "1" {
			t.Skip("chromium is not installed")
		}
		t.Fatal("chromium is not installed (DENMAP_LAB_ALLOW_MISSING=1 skips)")
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true), chromedp.UserDataDir(t.TempDir()),
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
	br := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, func(ev any) { br.listen(b, ev) }); err != nil {
		t.Fatal(err)
	}
	mustCall(t, ctx, network.Enable, network.EnableParams{})
	mustCall(t, ctx, log.Enable, cdp.Empty{})
	mustCall(t, ctx, runtime.Enable, cdp.Empty{})
	br.shape(1440, 900, "dark")
	return br
}

func mustCall[P, R any](t *testing.T, ctx context.Context, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		t.Fatal(err)
	}
}

func (br *browser) listen(b *bench, ev any) {
	br.mu.Lock()
	defer br.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		br.problems = append(br.problems, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		// What the daemon refuses is logged as an error too; tests look at
		// the page for that.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			br.problems = append(br.problems, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.url+"/") && !strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "about:") {
			br.outside = append(br.outside, u)
		}
	}
}

// clean wants no error in the console, no refusal by the policy and no
// request to anywhere else.
func (br *browser) clean() {
	br.t.Helper()
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, p := range br.problems {
		br.t.Errorf("console: %s", p)
	}
	for _, u := range br.outside {
		br.t.Errorf("request to %s", u)
	}
	br.problems, br.outside = nil, nil
}

func (br *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	br.t.Helper()
	ctx, cancel := context.WithTimeout(br.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		br.t.Fatal(err)
	}
}

// until waits for a JavaScript expression to become true.
func (br *browser) until(what, expression string) {
	br.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		// While a page is being left, there is nothing to ask.
		if yes, err := chromedp.Run(br.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && yes {
			return
		}
	}
	br.t.Fatalf("%s: not in time:\n%s", what, br.eval("document.body.innerText"))
}

// eval returns the value of a JavaScript expression as a text.
func (br *browser) eval(expression string) string {
	br.t.Helper()
	value, err := chromedp.Run(br.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		br.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// shape sets the size of the window and what the system prefers.
func (br *browser) shape(width, height int64, theme string) {
	br.t.Helper()
	br.do(chromedp.EmulateViewport(width, height))
	mustCall(br.t, br.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
}

// signIn follows a one-time link, as a person would.
func (br *browser) signIn(b *bench) {
	br.t.Helper()
	link, err := b.Link()
	if err != nil {
		br.t.Fatal(err)
	}
	br.do(chromedp.Navigate(link))
	br.until("signed in", `document.querySelector("#link")?.dataset.state === "live"`)
}

func (br *browser) open(b *bench, path string) {
	br.t.Helper()
	br.do(chromedp.Navigate(b.url + path))
	br.until("live", `document.querySelector("#link")?.dataset.state === "live"`)
}
