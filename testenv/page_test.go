// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"denmap/userspace/history"
)

// shownLimit is how long after its ban a source may be missing on the page.
const shownLimit = time.Second

// historyPath is where the daemon keeps its history.
const historyPath = statePath + "/history.db"

// TestPage watches the page in a browser on the victim while the attacker
// scans: what happens shows by itself, and what is clicked is in force.
func TestPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, "second", "third")
	s.victim.WriteMMDB(Net4)
	s.victim.Configure("geo: {databases: [" + MMDBPath + "]}\n")
	daemon := s.victim.Attach()
	counter := s.victim.CountTCP(uplink)
	daemon.WaitStderr(5*time.Second, "web page: ")
	page := newBrowser(t, s.victim)

	origin := signIn(t, page, s.victim)
	if strings.Contains(daemon.Stderr(), "#") {
		t.Errorf("the daemon prints a link where it may be stored:\n%s", daemon.Stderr())
	}
	page.Until("the empty table", `document.querySelector("#empty").textContent === "Nobody is probing this host."`)

	// A scan appears by itself.
	address := s.attacker.IPv4.String()
	row := fmt.Sprintf(`document.querySelector('#rows [data-source="%s"]')`, address)
	took := page.shown(s.victim, s.attacker)
	for _, name := range []string{"second", "third"} { // others may keep the machine busy
		if took > shownLimit {
			took = min(took, page.shown(s.victim, s.Host(name)))
		}
	}
	if took > shownLimit {
		t.Errorf("a ban is on the page after %v, want at most %v", took, shownLimit)
	}
	text := page.Eval(row + ".innerText")
	for _, want := range []string{address, "Germany", "Example Net", "syn", "banned, ", "Unban"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the row %q", want, text)
		}
	}

	// Allowed from the page and unbanned, it is spared.
	page.click("Allow " + address)
	page.Until("word of the allow list", `document.querySelector("#toasts").innerText.includes("allow list: 1 added")`)
	page.click("Unban " + address)
	page.Until("word of the unban", `document.querySelector("#toasts").innerText.includes("unbanned")`)
	page.Until("end of the ban in the table", row+`?.dataset.state !== "banned"`)
	s.victim.Eventually(listLimit, func() error {
		if !passes(t, s.attacker, s.victim, counter) {
			return errNotYet("pass for the allowed source")
		}
		return nil
	})
	s.attacker.MustTool("nmap", "-n", "-Pn", "-sS", "-p", "2001-2200", s.victim.IPv4.String())
	reached := 0
	for port := range counter.From(s.attacker.IPv4).Ports {
		if port > 2000 && port <= 2200 {
			reached++
		}
	}
	if reached != 200 {
		t.Errorf("the allowed scanner reached %d ports, want all 200", reached)
	}
	if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
		t.Error("the allowed scanner does not reach the web server")
	}

	// Somebody else's ban, later, shows that nothing is still to come.
	ban(s.victim, s.client)
	page.Until("row of the other scanner", fmt.Sprintf(`document.querySelector('#rows [data-source="%s"]')?.dataset.state === "banned"`, s.client.IPv4))
	if bans := s.victim.bansOf(s.attacker.IPv4); bans != 1 {
		t.Errorf("%d bans of the allowed source in the log, want the one of before", bans)
	}
	if state := page.Eval(row + "?.dataset.state"); state == "banned" {
		t.Error("the page shows the allowed source as banned")
	}
	if page.Eval("window.sameDocument") != "true" {
		t.Error("the page was reloaded")
	}

	// The source's own view has the evidence, and the map where it is.
	page.open(origin + "source?address=" + s.client.IPv4.String())
	page.Until("evidence", `document.querySelectorAll("#probes tr").length >= 4 && !document.querySelector("#download").hidden`)
	if text := page.Eval(`document.querySelector("#detail").innerText + document.querySelector("#where").innerText`); !strings.Contains(text, "crafted") || !strings.Contains(text, "Hannover, Germany") {
		t.Errorf("the view of the source says %q", text)
	}
	page.open(origin + "map")
	page.Until("circle of the place", `document.querySelector('circle[data-place="Hannover, Germany"]')`)
	page.Clean(origin)
}

// shown has a host scan and returns how long after its time in the log the
// ban was on the page.
func (b browser) shown(victim, scanner *Host) time.Duration {
	b.t.Helper()
	b.Do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
		window.shownAt = 0;
		new MutationObserver(() => {
			if (!window.shownAt && document.querySelector('#rows [data-source="%s"]')?.dataset.state === "banned") window.shownAt = Date.now();
		}).observe(document.querySelector("#rows"), {subtree: true, childList: true, attributes: true});
	}`, scanner.IPv4)))
	banned := ban(victim, scanner)
	b.Until("row of the banned source", "window.shownAt")
	at, err := strconv.ParseInt(b.Eval("window.shownAt"), 10, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	took := time.UnixMilli(at).Sub(banned.Time)
	b.t.Logf("the ban of %v is on the page %v after its time in the log", scanner.IPv4, took)
	return took
}

// signIn follows the link that the command line prints, marks the document
// and returns the page's address, with a slash at its end.
func signIn(t *testing.T, page browser, victim *Host) string {
	t.Helper()
	link := strings.TrimSpace(victim.MustDenmap("dashboard", "link").Stdout)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	origin := u.Scheme + "://" + u.Host + "/"
	page.Do(chromedp.Navigate(origin))
	page.Until("sign-in page", `document.title === "Sign in"`)
	page.Do(chromedp.Navigate(link))
	page.Until("live page", `document.querySelector("#link")?.dataset.state === "live"`)
	page.Do(chromedp.Evaluate[chromedp.Void]("window.sameDocument = true"))
	return origin
}

// bansOf counts the bans of a source in the log.
func (h *Host) bansOf(source netip.Addr) int {
	h.t.Helper()
	n := 0
	for _, line := range h.LogAbout(source) {
		if line.Event.Action == "source-banned" {
			n++
		}
	}
	return n
}

// TestHistoryAfterKill kills the daemon during a ban: the next one goes on
// with the history, and the ban ends in it once.
func TestHistoryAfterKill(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.Configure(shortBans)
	daemon := victim.Attach()
	banned := ban(victim, attacker)
	victim.Eventually(5*time.Second, func() error {
		if scans := victim.scansOf(attacker.IPv4); len(scans) != 1 || scans[0].Action != "banned" {
			return fmt.Errorf("history before the kill: %+v, want one scan that was banned", scans)
		}
		return nil
	})
	daemon.Kill()

	next := victim.Attach()
	scans := victim.scansOf(attacker.IPv4)
	if len(scans) != 1 || scans[0].ID != banned.Event.ID || scans[0].Action != "banned" || !scans[0].Enforced || len(scans[0].Ports) == 0 {
		t.Errorf("history after the next attach: %+v, want scan %q, banned", scans, banned.Event.ID)
	}
	victim.WaitLog(15*time.Second, "source-unbanned", func(l LogLine) bool {
		return l.Event.Action == "source-unbanned" && l.About(attacker.IPv4)
	})
	next.Stop() // so that all is stored
	bans := victim.historyBans(t.TempDir(), attacker.IPv4)
	if len(bans) != 1 || bans[0].Ended.IsZero() || bans[0].EndReason != "expired" || bans[0].ID != banned.Event.ID {
		t.Fatalf("history of bans: %+v, want one, %q, expired", bans, banned.Event.ID)
	}
	if early := banned.Denmap.Ban.Until.Sub(bans[0].Ended); early > time.Second {
		t.Errorf("the ban ended %v before its time", early)
	}
	ends := 0
	for _, line := range victim.LogAbout(attacker.IPv4) {
		if line.Event.Action == "source-unbanned" {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("the ban ends %d times in the log", ends)
	}
}

// storedScan is what tests look at in `denmap history --json`.
type storedScan struct {
	ID       string   `json:"id"`
	Action   string   `json:"action"`
	Enforced bool     `json:"enforced"`
	Ports    []uint16 `json:"ports"`
}

func (h *Host) scansOf(source netip.Addr) []storedScan {
	h.t.Helper()
	var document struct {
		Scans []storedScan `json:"scans"`
	}
	out := h.MustDenmap("history", "--source", source.String(), "--json").Stdout
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		h.t.Fatalf("read history of %q: %v in:\n%s", h.Name, err, out)
	}
	return document.Scans
}

// historyBans returns the stored bans of a source, while no daemon runs,
// from a copy in dir: SQLite does not follow Path into another mount
// namespace.
func (h *Host) historyBans(dir string, source netip.Addr) []history.Ban {
	h.t.Helper()
	copied := filepath.Join(dir, "history.db")
	if err := os.WriteFile(copied, []byte(h.ReadFile(historyPath)), 0o600); err != nil {
		h.t.Fatalf("copy history of %q: %v", h.Name, err)
	}
	reader, err := history.OpenReader(copied, time.Now)
	if err != nil {
		h.t.Fatalf("open history of %q: %v", h.Name, err)
	}
	defer reader.Close()
	bans, err := reader.Bans(h.t.Context(), history.Range{}, netip.PrefixFrom(source, source.BitLen()), 10)
	if err != nil {
		h.t.Fatalf("read history of %q: %v", h.Name, err)
	}
	return bans
}
