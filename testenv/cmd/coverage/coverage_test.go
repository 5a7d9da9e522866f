// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"denmap/testenv"
	"denmap/userspace/event"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

// TestKinds runs a scan of each kind, one evasion, and one that takes hours
// by its clock, through the whole command.
func TestKinds(t *testing.T) {
	dir := t.TempDir()
	o := options{denmap: filepath.Join(dir, "denmap"), out: filepath.Join(dir, "coverage.md"), jobs: 6, log: testLog{t}}
	build := exec.Command("go", "build", "-o", o.denmap, "denmap/cmd/denmap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build denmap: %v\n%s", err, out)
	}
	o.only = regexp.MustCompile(`^(nmap -s[SNFXAMYOU] (-F|--top-ports 60|\(.*)|nc .*|nmap -sO|nmap -sS -F (-f|--scanflags SYNFIN|--ttl 65)|` +
		`zmap .*|SYN behind 12.*|masscan -p1-1000|nmap -sS -T0) \(IPv[46]\)$`)
	if n := len(selected(o.only)); n < 20 {
		t.Fatalf("%d scans chosen", n)
	}
	unexpected, err := run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	if unexpected > 0 {
		t.Errorf("%d rows are not as they should be:\n%s", unexpected, content)
	}
	for _, want := range []string{"| syn | `nmap -sS -F` | 4 | banned | syn | nmap, high |", "| fin | `nmap -sF -F` | 4 | banned | fin | nmap, high | 2, 4 |", "until the ban"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the page has no %q:\n%s", want, content)
		}
	}
}

// testLog writes to the log of a test.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func TestWrong(t *testing.T) {
	s := nmap("syn", "nmap", twoPoints, "-sS")
	good := row{attempt: attempt{s, 4}, verdict: "banned", label: []string{"syn"}, tool: "nmap, high", alert: 2, ban: 4}
	for _, test := range []struct {
		name   string
		change func(*row)
		wrong  string
	}{
		{"as it should be", func(*row) {}, ""},
		{"missed", func(r *row) { r.verdict, r.label = "no", nil }, "not banned"},
		{"alerted only", func(r *row) { r.verdict = "alerted" }, "not banned"},
		{"an alert is enough", func(r *row) { r.verdict, r.most, r.ban = "alerted", 0, 0 }, ""},
		{"mislabelled", func(r *row) { r.label = []string{"connect", "syn"} }, `label ["connect" "syn"], want "syn"`},
		{"another tool", func(r *row) { r.tool = "masscan, high" }, `tool "masscan", want "nmap"`},
		{"three of the ports were open", func(r *row) { r.ban = 6 }, ""},
		{"late", func(r *row) { r.ban = 7 }, "banned after 7 failures, want 6 at most"},
		{"late, of packets that fail at open ports too", func(r *row) { r.kind, r.label, r.ban = "fin", []string{"fin"}, 5 },
			"banned after 5 failures, want 4 at most"},
		{"an OS scan begins with SYNs", func(r *row) { r.kind, r.label = "os-fingerprint", []string{"syn", "os-fingerprint"} }, ""},
		{"silence is right", func(r *row) { r.kind, r.verdict = "", "no" }, ""},
		{"silence would be right", func(r *row) { r.kind = "" }, "noticed, which it should not be"},
	} {
		r := good
		test.change(&r)
		if got := r.wrong(); got != test.wrong {
			t.Errorf("%s: %q, want %q", test.name, got, test.wrong)
		}
	}
}

func TestGains(t *testing.T) {
	plain := row{verdict: "banned", tool: "nmap, high", ban: 4, reached: 0, sent: 100}
	for _, test := range []struct {
		row  row
		want string
	}{
		{plain, "nothing"},
		{row{verdict: "no", sent: 100, reached: 100}, "unnoticed; 100 packets more to the host"},
		{row{verdict: "banned", tool: "raw-unknown, medium", ban: 8, reached: 7, sent: 100, open: 1},
			"learns 1 open port; 7 packets more to the host; banned 4 failures later; hides the tool"},
		{row{verdict: "banned", tool: "nmap, high", ban: 4, sent: -1, banAfter: 20 * time.Minute}, "20m0s until the ban"},
		{row{verdict: "banned", tool: "nmap, high", ban: 4, sent: 400, group: 4}, "one of 4 that are named together"},
	} {
		if got := test.row.gains(plain); got != test.want {
			t.Errorf("%+v gains %q, want %q", test.row, got, test.want)
		}
	}
}

func TestSpread(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int, port byte) event.Packet {
		return event.Packet{Time: start.Add(time.Duration(ms) * time.Millisecond), Header: []byte{port}}
	}
	// Two ports and an answer each, and a packet of nobody's.
	packets := []event.Packet{at(0, 7), at(1, 9), at(2, 7), at(3, 0), at(4, 9)}
	got := spread(packets, func(p event.Packet) uint16 { return uint16(p.Header[0]) }, time.Minute)
	want := []time.Duration{0, 2 * time.Millisecond, time.Minute, time.Minute + 3*time.Millisecond}
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i, p := range got {
		if p.Time.Sub(start) != want[i] {
			t.Errorf("packet %d after %v, want %v", i, p.Time.Sub(start), want[i])
		}
	}
}

// TestTwinCells: a twin that was flagged makes the command fail, and says
// so at every scan of its kind.
func TestTwinCells(t *testing.T) {
	loud := twin{testenv.Silence{Group: "peers", Name: "calls", Like: "udp", UDPScore: 9, Lines: 1}, 4}
	p := page{twins: []twin{loud}, rows: []row{{attempt: attempt{nmap("udp", "", slowScore, "-sU"), 4}, verdict: "banned", label: []string{"udp"}, ban: 16}}}
	if got := p.twinsOf(p.rows[0]); got != "**1 flagged**" {
		t.Errorf("twins %q", got)
	}
	if got := p.unexpected(); got != 1 {
		t.Errorf("%d rows unexpected, want 1", got)
	}
}

// TestStops: the command ends when it is told to.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := inParallel(ctx, options{jobs: 1, log: testLog{t}}, 1, func(int) (string, func(*testenv.Console)) {
		return "a job", func(*testenv.Console) {}
	})
	if err == nil {
		t.Error("no error after an interrupt")
	}
}
