// SPDX-License-Identifier: MIT

// Package doctor judges whether DenMap can run on a host, and how. Reader
// collects plain facts of the host and of its interfaces; Examine turns
// facts into findings, each with a verdict and a remedy, and says in which
// mode attach would put the program on each interface, and why. Nothing is
// attached or changed. What only the kernel's BPF side knows is handed in.
package doctor

import (
	"fmt"
	"slices"
)

// Verdict is how good a finding is.
type Verdict string

// The verdicts. Fail: DenMap cannot protect like this.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check     string  `json:"check"` // "kernel", "mtu", ...
	Interface string  `json:"interface,omitempty"`
	Verdict   Verdict `json:"verdict"`
	Text      string  `json:"text"`             // one line
	Remedy    string  `json:"remedy,omitempty"` // what to do, one line
}

// Mode is where attach would put the program.
type Mode string

// The modes. NoMode: attach would fail.
const (
	Native  Mode = "native"
	Generic Mode = "generic"
	NoMode  Mode = "none"
)

// Choice is what attach would choose for an interface.
type Choice struct {
	Interface string `json:"interface"`
	Mode      Mode   `json:"mode"`
	Why       string `json:"why"`     // one line
	Certain   bool   `json:"certain"` // false: only attaching tells
}

// Report is what Examine found.
type Report struct {
	Findings   []Finding `json:"findings"`
	Interfaces []Choice  `json:"interfaces"`
	Unseen     []string  `json:"unseen"` // what could not be looked at, and why
	Hints      []string  `json:"hints"`  // what no program can see
}

// Failed reports whether anything keeps DenMap from protecting.
func (r Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Verdict == Fail })
}

// Examine judges the facts. Links are judged in their order.
func Examine(h Host, links []Link) Report {
	x := examiner{host: h, report: Report{Findings: []Finding{}, Interfaces: []Choice{}, Unseen: []string{}}}
	x.examineHost()
	for _, l := range links {
		x.examineLink(l)
	}
	x.report.Unseen = append(x.report.Unseen, h.Unseen...)
	x.report.Hints = hints(h)
	return x.report
}

type examiner struct {
	host   Host
	report Report
	link   string // the interface that is looked at, if any
}

func (x *examiner) add(check string, v Verdict, remedy, format string, args ...any) {
	x.report.Findings = append(x.report.Findings, Finding{
		Check: check, Interface: x.link, Verdict: v, Text: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

func (x *examiner) ok(check, format string, args ...any) { x.add(check, OK, "", format, args...) }

func (x *examiner) unseen(format string, args ...any) {
	x.report.Unseen = append(x.report.Unseen, fmt.Sprintf(format, args...))
}

// hints are about what cannot be seen from here.
func hints(h Host) []string {
	cloud := "a firewall in front of this host hides what it drops: DenMap sees and counts only the probes that get through"
	if h.Cloud != "" {
		cloud = h.Cloud + " may filter in front of this host (security groups): DenMap sees and counts only the probes that get through"
	}
	return []string{
		cloud,
		"tcpdump on this host does not see what native XDP drops: denmap why --pcap has the packets, denmap status the counters",
	}
}
