// SPDX-License-Identifier: MIT

// Package chromium drives a real headless Chromium for tests of the web page.
package chromium

import (
	"context"
	"fmt"
	"slices"
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

// Browser is a headless Chromium, with what it complained about and asked
// for. Its methods end the test on trouble.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string // in the console
	requests []string // addresses of all that was asked for
}

// New starts one in a network namespace (a file like /proc/PID/ns/net), or
// in the test's own if that is empty. The test speaks with it over a pipe,
// so the namespace sees nothing but what a visitor would send. Its window
// has 1440 by 900 pixels. t.Cleanup ends it.
func New(t testing.TB, namespace string) *Browser {
	t.Helper()
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program(t, namespace)), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless,
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
	b := &Browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	b.Do(chromedp.EmulateViewport(1440, 900))
	return b
}

// call sends one command of the debugging protocol.
func call[P, R any](b *Browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

func (b *Browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		// What the daemon refuses, such as a visit before the sign-in, is
		// logged as an error too; tests look at the page for that.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			b.problems = append(b.problems, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// Clean wants no error in the console, no refusal by the policy and no
// request to addresses that begin otherwise, since the last Clean.
func (b *Browser) Clean(beginnings ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Errorf("console: %s", problem)
	}
	for _, url := range b.requests {
		if !slices.ContainsFunc(beginnings, func(beginning string) bool { return strings.HasPrefix(url, beginning) }) {
			b.t.Errorf("request to %s", url)
		}
	}
	b.problems, b.requests = nil, nil
}

// Context is what actions run in that the browser has no method for.
func (b *Browser) Context() context.Context { return b.ctx }

// Do runs actions one after the other.
func (b *Browser) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v; the page says:\n%s", err, b.Eval("document.body.innerText"))
	}
}

// Until waits for a JavaScript expression to become true; what says what is
// missing if it does not.
func (b *Browser) Until(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		// While a page is being left, there is nothing to ask.
		if yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && yes {
			return
		}
	}
	b.t.Fatalf("%s: not in time; the page says:\n%s", what, b.Eval("document.body.innerText"))
}

// Eval returns the value of a JavaScript expression as a text.
func (b *Browser) Eval(expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return value
}

// Shape sets the size of the window in pixels and the theme that the system
// prefers: light or dark.
func (b *Browser) Shape(width, height int64, theme string) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(width, height))
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	})
}
