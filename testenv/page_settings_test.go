// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// pageFile is where the page writes settings.
const pageFile = "/etc/denmap/conf.d/50-page.yaml"

// TestPageSettings enters a mail account on the page, sends the test mail,
// and is asked before a threshold is lowered.
func TestPageSettings(t *testing.T) {
	t.Parallel()
	_, victim, server := mailLab(t)
	server.Start()
	const main = "geo: {databases: [" + MMDBPath + "]}\n"
	victim.Configure(main)
	daemon := victim.Attach()
	daemon.WaitStderr(5*time.Second, "web page: ")
	page := newBrowser(t, victim)
	origin := signIn(t, page, victim)

	page.open(origin + "settings")
	page.Until("the form", `document.querySelector("#f-mail-to")`)
	page.fill("#f-mail-host", MailName)
	page.fill("#f-mail-port", "70000")
	page.Until("the message beside the field", `document.querySelector("#f-mail-port-said").textContent.includes("65535")`)
	page.fill("#f-mail-port", "587")
	page.fill("#f-mail-username", MailUser)
	page.fill("#f-password", MailPassword)
	page.fill("#f-mail-from", "denmap@example.org")
	page.fill("#f-mail-to", "admin@example.org, second@example.org")
	page.Do(chromedp.Click(chromedp.CSS("#mail-test")))
	page.Until("word of the test mail", `document.querySelector("#mail-said").innerText.includes("accepted")`)
	m := server.WaitMails(30*time.Second, 1)[0]
	contains(t, "test mail", m.Header.Get("To"), "admin@example.org", "second@example.org")
	contains(t, "subject", m.Subject, "victim", "test")

	contains(t, "page file", victim.ReadFile(pageFile), "host: "+MailName, "username: "+MailUser, "password_file:", "second@example.org")
	if got := victim.ReadFile(ConfigPath); got != main {
		t.Errorf("the page changed the main file:\n%s", got)
	}
	for _, name := range []string{pageFile, statePath + "/mail-password"} {
		info, err := os.Stat(victim.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		if secret := strings.HasSuffix(name, "password"); secret && info.Mode().Perm() != 0o600 || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	page.open(origin + "settings")
	page.Until("the form", `document.querySelector("#f-password")?.placeholder.startsWith("set")`)
	page.Eval(`fetch("/api/v1/settings", {headers: {"X-DenMap-Key": localStorage.getItem("denmap-key")}}).then((r) => r.text()).then((t) => { window.answer = t; }) && ""`)
	page.Until("the settings", "window.answer")
	answer := page.Eval(`window.answer + document.documentElement.outerHTML + [...document.querySelectorAll("input")].map((i) => i.value)`)
	for where, text := range map[string]string{"page": answer, "page file": victim.ReadFile(pageFile), "what the daemon says": daemon.Stderr()} {
		if strings.Contains(text, MailPassword) {
			t.Errorf("the password can be read back in the %s", where)
		}
	}

	page.fill("#f-detect-udp_ban_score", "9")
	page.Do(chromedp.Click(chromedp.CSS("#save")))
	page.Until("the question", `document.querySelector("#ask").open && document.querySelector("#ask").innerText.includes("reached a UDP score of 9")`)
	page.Do(chromedp.Click(chromedp.CSS("#ask-yes")))
	page.Until("word of the change", `document.querySelector("#toasts").innerText.includes("in force")`)
	victim.Eventually(5*time.Second, func() error {
		if status := victim.MustDenmap("status", "--json").Stdout; !strings.Contains(status, `"udp_ban_score": 9`) {
			return errNotYet("UDP ban score of 9 in the kernel")
		}
		return nil
	})
	page.Clean(origin)
}

// hostileText is what a comment, or a visitor, could say.
const hostileText = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`

// TestPageRefusals visits the page as strangers do, and signs out; what
// others wrote stays text.
func TestPageRefusals(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.WriteFile("/etc/denmap/allow.list", "203.0.113.9 # "+hostileText+"\n")
	daemon := victim.Attach()
	daemon.WaitStderr(5*time.Second, "web page: ")
	const base = "http://127.0.0.1:8790"
	ask := func(method, path, body string, headers ...string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
			if headers[i] == "Host" {
				request.Host = headers[i+1]
			}
		}
		response, err := victim.HTTPClient().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s %s: policy %q", method, path, policy)
		}
		return response.StatusCode, string(text)
	}
	_, stranger := ask("GET", "/", "")
	for _, row := range []struct {
		method, path, body string
		headers            []string
		want               int
	}{
		{"GET", "/health", "", nil, http.StatusUnauthorized},
		{"GET", "/no-such-page", "", []string{"User-Agent", hostileText}, http.StatusUnauthorized},
		{"GET", "/api/v1/now", "", nil, http.StatusUnauthorized},
		{"POST", "/api/v1/bans", `{"source": "203.0.113.7"}`, nil, http.StatusUnauthorized},
		{"POST", "/api/v1/sign-in", `{"token": "wrong"}`, nil, http.StatusForbidden},
		{"GET", "/", "", []string{"Host", "rebind.example:8790"}, http.StatusMisdirectedRequest},
		{"GET", "/", "", []string{"Host", "127.0.0.1:80"}, http.StatusMisdirectedRequest},
		{"POST", "/api/v1/sign-in", `{"token": "wrong"}`, []string{"Origin", "http://evil.example"}, http.StatusForbidden},
		{"POST", "/api/v1/sign-in", `{"token": "wrong"}`, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
	} {
		code, text := ask(row.method, row.path, row.body, row.headers...)
		if code != row.want {
			t.Errorf("%s %s %v: %d, want %d", row.method, row.path, row.headers, code, row.want)
		}
		if code == http.StatusUnauthorized && row.method == "GET" && !strings.HasPrefix(row.path, "/api") && text != stranger {
			t.Errorf("%s tells a stranger something:\n%s", row.path, text)
		}
		if strings.Contains(text, "victim") || strings.Contains(text, "<script>window") {
			t.Errorf("%s %s tells %s", row.method, row.path, text)
		}
	}

	page := newBrowser(t, victim)
	origin := signIn(t, page, victim)
	page.open(origin + "lists?list=allow")
	page.Until("the comment", fmt.Sprintf(`document.querySelector("#entries").innerText.includes(%q)`, hostileText))
	if page.Eval("String(window.pwned) + document.querySelectorAll('main img').length") != "undefined0" {
		t.Error("a comment became markup")
	}
	page.Do(chromedp.Click(chromedp.CSS("#sign-out")))
	page.Until("the sign-in page", `document.title === "Sign in"`)
	page.open(origin + "health")
	page.Until("the sign-in page", `document.title === "Sign in"`)
	page.Clean(origin)

	if r := victim.Denmap("attach", "lo", "--config", victimConfig(victim, "dashboard: {listen: '0.0.0.0:8790'}\n")); r.Code == 0 || !strings.Contains(r.Stderr, "ssh -L 8790:127.0.0.1:8790") {
		t.Errorf("listening everywhere: %+v", r)
	}
}

// victimConfig writes another configuration file and returns its name.
func victimConfig(h *Host, yaml string) string {
	const name = "/etc/denmap/other.yaml"
	h.WriteFile(name, yaml)
	return name
}
