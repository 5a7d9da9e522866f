// SPDX-License-Identifier: MIT

package testenv

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// manyPages is how many stay open while their cost is measured, and
// pageCost the processor time a second that they may take together.
const (
	manyPages = 50
	pageCost  = 150 * time.Millisecond
)

// TestManyPages opens fifty pages and measures what they cost the daemon
// while a scanner is at work.
func TestManyPages(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.Configure(shortBans)
	daemon := victim.Attach()
	daemon.WaitStderr(5*time.Second, "web page: ")
	quit := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
				// What it finds out does not matter.
				attacker.Command(t.Context(), "nmap", "-n", "-Pn", "-sS", "-T4", "--max-retries", "0", "-p", "1-400", victim.IPv4.String()).Result()
			}
		}
	}()
	defer func() { close(quit); <-done }()
	victim.WaitBan(attacker.IPv4)

	const span = 5 * time.Second
	measure := func() time.Duration {
		before := daemon.processorTime()
		time.Sleep(span)
		return (daemon.processorTime() - before) / time.Duration(span/time.Second)
	}
	alone := measure()
	client := pageClientOf(t, victim)
	for range manyPages {
		client.follow()
	}
	open := measure()
	t.Logf("processor time of the daemon a second during a scan: %v with no page open, %v with %d", alone, open, manyPages)
	if open-alone > pageCost {
		t.Errorf("%d pages cost %v a second, want at most %v", manyPages, open-alone, pageCost)
	}
}

// processorTime is what the daemon has used so far, in steps of 10 ms.
func (d *Daemon) processorTime() time.Duration {
	d.host.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.host.t.Fatalf("read processor time: %v", err)
	}
	// User and system time, in ticks of 10 ms.
	return time.Duration(d.statField(stat, 14)+d.statField(stat, 15)) * 10 * time.Millisecond
}

// pageClient is a program that has signed in.
type pageClient struct {
	t      *testing.T
	host   *Host
	base   string
	key    string
	cookie *http.Cookie
}

func pageClientOf(t *testing.T, h *Host) *pageClient {
	t.Helper()
	link := strings.TrimSpace(h.MustDenmap("dashboard", "link").Stdout)
	base, token, found := strings.Cut(link, "/sign-in#")
	if !found {
		t.Fatalf("link %q", link)
	}
	response, err := h.HTTPClient().Post(base+"/api/v1/sign-in", "application/json", strings.NewReader(fmt.Sprintf(`{"token": %q}`, token)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Key string `json:"key"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Key == "" || len(response.Cookies()) != 1 {
		t.Fatalf("sign in: %s, %v", response.Status, err)
	}
	return &pageClient{t, h, base, answer.Key, response.Cookies()[0]}
}

// follow opens a stream, as a page does, and returns when the table has
// come. What comes later is read and dropped, until the test ends.
func (c *pageClient) follow() {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/api/v1/stream?rows=1", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("X-DenMap-Key", c.key)
	request.AddCookie(c.cookie)
	client := c.host.HTTPClient()
	client.Timeout = 0
	response, err := client.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("open stream: %v, %v", response, err)
	}
	c.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() && lines.Text() != "event: table" {
	}
	if lines.Err() != nil {
		c.t.Fatal(lines.Err())
	}
	go func() {
		for lines.Scan() {
		}
	}()
}
