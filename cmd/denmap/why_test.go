// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"denmap/loader"
	"denmap/userspace/event"
)

// sampleReasons are what the kernel remembers of a source that sent four
// probes, the first seen by the filter only, and was banned.
func sampleReasons() *reasons {
	at := func(ms int) time.Time { return testNow.Add(time.Duration(ms) * time.Millisecond) }
	return &reasons{
		addr:     netip.MustParseAddr("203.0.113.7"),
		attached: true,
		rules:    loader.Rules{AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16},
		bans: []event.Ban{{
			Source: netip.MustParsePrefix("203.0.113.7/32"), Grade: event.Proven, Since: at(30), Until: testNow.Add(10 * time.Minute), Dropped: 5,
		}},
		evidence: event.Evidence{
			Source: event.Source{
				Prefix: netip.MustParsePrefix("203.0.113.7/32"), First: at(0), Last: at(30), Score: 8, Distinct: 6,
				Kinds: event.Kinds(0).With(event.SYN).With(event.Xmas).With(event.UDP), Tool: event.ToolNmap, Confidence: event.High,
			},
			Grade: event.Proven, Handshakes: []uint16{22, 80, 443},
			Probes: []event.Probe{
				{Time: at(0), Port: 21, Kind: event.SYN, Points: 2, Score: 2},
				{Time: at(10), Port: 22, Kind: event.SYN, Points: 2, Score: 4, Tool: event.ToolNmap, Known: true, Flags: 2, Window: 1024, TTL: 52},
				{Time: at(20), Port: 161, Kind: event.UDP, Points: 1, Score: 1, Known: true, TTL: 52},
				{Time: at(30), Port: 80, Kind: event.Xmas, Points: 2, Score: 8, Tool: event.ToolNmap, Known: true, Flags: 0x29, Window: 1024, TTL: 40},
			},
			Packets: []event.Packet{
				{Time: at(10), Length: 44, Header: bytes.Repeat([]byte{0x45}, 44)},
				{Time: at(30), Length: 1500, Header: bytes.Repeat([]byte{0x45}, 80)},
			},
		},
	}
}

// answer runs answerWhy on what is known.
func (c *console) answer(w *reasons, o whyOptions) (outcome, error) {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	env := *c.env
	env.Stdout, env.Stderr = &stdout, &stderr
	err := env.answerWhy(w, o)
	return outcome{stdout: c.hide(stdout.String()), stderr: c.hide(stderr.String())}, err
}

func TestWhyText(t *testing.T) {
	c := newConsole(t)
	got, err := c.answer(sampleReasons(), whyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := `203.0.113.7: score 8 of 8, SYN, Xmas and UDP scan, headers of nmap (confidence high)
banned until 2026-01-02 03:14:05, 5 packets dropped
proven: the source completed handshakes, so the address is its own
new handshakes completed on 22,80,443

6 probes counted, the latest 4 in 30ms:
TIME                     PORT  KIND  FLAGS        TTL  WINDOW  OUTCOME  RULE                                                          POINTS  SCORE
2026-01-02 03:04:05.000  21    syn   -            -    -       not-kept   SYN to port 21 not from a kernel's connect()                +2      2 of 8
2026-01-02 03:04:05.010  22    syn   SYN          52   1024    crafted  exact nmap SYN                                                +2      4 of 8
2026-01-02 03:04:05.020  161   udp   -            52   -       closed   no socket on UDP port 161                                     +1      udp 1 of 16
2026-01-02 03:04:05.030  80    xmas  FIN+PSH+URG  40   1024    crafted  flags no stack sends                                          +2      8 of 8

closed: nobody wanted it: no socket here, or no answer from behind this host within 3 s
crafted: no stack sends this: dropped on sight, unless detect.drop_crafted is off or the interface only monitors
not-kept: closed, crafted or half-open: the header of this probe is not remembered
the headers of 2 packets are recorded: denmap why 203.0.113.7 --pcap FILE
`
	if narrow(got.stdout) != narrow(want) || got.stderr != "" {
		t.Errorf("text\n%s\nwant\n%s", got.stdout, want)
	}
}

// narrow makes the columns of a table as narrow as they can be.
func narrow(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestWhyJSON(t *testing.T) {
	c := newConsole(t)
	got, err := c.answer(sampleReasons(), whyOptions{json: true})
	if err != nil {
		t.Fatal(err)
	}
	var doc whyDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != 1 || doc.Grade != "proven" || len(doc.Proof) != 3 || doc.Missing != "" || doc.Packets != 2 || len(doc.Bans) != 1 || len(doc.Probes) != 4 || doc.BanScore != 8 {
		t.Errorf("document\n%s", got.stdout)
	}
	p := doc.Probes[3]
	if p.Port != 80 || p.Kind != "xmas" || p.Flags != "FIN+PSH+URG" || p.Outcome != "crafted" || p.Points != 2 || p.Score != 8 || p.Tool != "nmap" || *p.Window != 1024 || !p.Time.Equal(testNow.Add(30*time.Millisecond)) {
		t.Errorf("probe %+v", p)
	}
	if first := doc.Probes[0]; first.Flags != "" || first.Window != nil || strings.Contains(got.stdout, "null") {
		t.Errorf("first probe %+v of\n%s", first, got.stdout)
	}
}

func TestWhyCapture(t *testing.T) {
	c, w := newConsole(t), sampleReasons()
	path := c.path("why.pcap")
	got, err := c.answer(w, whyOptions{capture: true, path: path})
	if err != nil || got.stderr != "denmap: wrote the headers of 2 packets to $DIR/why.pcap\n" || !strings.Contains(got.stdout, "exact nmap SYN") {
		t.Errorf("%+v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	before := c.read("why.pcap")
	if got, err := c.answer(w, whyOptions{capture: true, path: path, json: true}); err == nil || got.stdout != "" || c.read("why.pcap") != before {
		t.Errorf("overwritten: %+v, %v", got, err)
	}
	if _, err := c.answer(w, whyOptions{capture: true, path: path, force: true}); err != nil {
		t.Error(err)
	}
	got, err = c.answer(w, whyOptions{capture: true, path: "-"})
	if err != nil || got.stdout != before || got.stderr != "" {
		t.Errorf("to standard output: %+v, %v", got, err)
	}
	r, err := pcapgo.NewReader(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range w.evidence.Packets {
		data, info, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(data, p.Header) || info.Length != p.Length || !info.Timestamp.Equal(p.Time) {
			t.Errorf("packet %d bytes of %d at %v, %v", len(data), info.Length, info.Timestamp, err)
		}
	}
	w.evidence.Packets = nil
	if got, err := c.answer(w, whyOptions{capture: true, path: c.path("none.pcap")}); err == nil || got.stdout != "" || c.read("none.pcap") != "" {
		t.Errorf("without packets: %+v, %v", got, err)
	}
}

func TestWhyForgotten(t *testing.T) {
	c := newConsole(t)
	c.expect("why 203.0.113.7", said("nothing is known against 203.0.113.7"))
	c.writeLog()
	c.expect("why 203.0.113.9", said("nothing is known against 203.0.113.9"))
	got := c.run("why", "203.0.113.7")
	if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "the kernel has no evidence any more; the event log says:") ||
		!strings.Contains(got.stdout, "source-banned") || strings.Contains(got.stdout, "list-changed") {
		t.Errorf("why: %+v", got)
	}
	got = c.run("why", "203.0.113.7", "--json")
	var doc whyDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if doc.Missing != "not-attached" || doc.Attached || doc.Grade != "blind" || len(doc.Log) != 1 || doc.Probes == nil || doc.Bans == nil {
		t.Errorf("document\n%s", got.stdout)
	}
	if got := c.run("why", "203.0.113.7", "--pcap", c.path("x.pcap")); got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "no packet of 203.0.113.7 is recorded") {
		t.Errorf("capture: %+v", got)
	}
}

func TestWhyUsage(t *testing.T) {
	c := newConsole(t)
	for _, test := range []struct {
		line string
		want outcome
	}{
		{"why", refused(2, "why: expected one address, got 0 arguments", "usage: denmap why ADDR")},
		{"why 203.0.113.7 --force", refused(2, "option --force: expected --pcap FILE with it")},
		{"why 203.0.113.7 --json --pcap -", refused(2, "why: --json and --pcap - both want standard output")},
		{"why 203.0.113.7 --pcap=", refused(2, "option --pcap: expected the name of a file, or -")},
	} {
		c.expect(test.line, test.want)
	}
	if got := c.run("why", "example"); got.code != 2 || !strings.Contains(got.stderr, `"example"`) {
		t.Errorf("why example: %+v", got)
	}
}

func TestWhyAttached(t *testing.T) {
	a := newAttached(t)
	a.contains("why 203.0.113.77", 0)
	if err := a.kernel.AddBan(event.Ban{Source: netip.MustParsePrefix("203.0.113.77/32"), Grade: event.Proven, Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	a.contains("why 203.0.113.77", 0, "banned until", "proven: ", "the kernel has no evidence, and the event log says nothing")
	a.contains("why 203.0.113.77 --json", 0, `"attached": true`, `"missing": "forgotten"`, `"grade": "proven"`)
}
