// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	"denmap/userspace/lists"
)

// gradeTexts say what a grade is worth.
var gradeTexts = map[event.Grade]string{
	event.Blind:  "blind: anybody could have sent these packets from that address",
	event.Proven: "proven: the source completed handshakes, so the address is its own",
	event.Manual: "manual: an operator said so",
}

func (e *environment) whyText(w *reasons) error {
	if w.missing() == "nothing-known" || w.missing() == "not-attached" && len(w.bans) == 0 && len(w.log) == 0 {
		e.say("nothing is known against %s", w.addr)
		return nil
	}
	if err := e.writeText(w.head(e)); err != nil {
		return err
	}
	if len(w.evidence.Probes) == 0 {
		return e.whyLog(w)
	}
	return e.whyProbes(w)
}

// head says in a few lines what the evidence led to.
func (w *reasons) head(e *environment) string {
	var text strings.Builder
	if s := w.evidence.Source; len(w.evidence.Probes) > 0 {
		fmt.Fprintf(&text, "%s: score %s, %s scan%s\n", lists.FormatPrefix(s.Prefix), nowScore(w), s.Kinds.Title(s.Main), toolText(s))
	} else {
		fmt.Fprintf(&text, "%s\n", w.addr)
	}
	for _, b := range w.bans {
		fmt.Fprintf(&text, "banned %s", e.until(b.Until))
		if !b.Source.IsSingleIP() {
			text.WriteString(" as part of " + b.Source.String())
		}
		if b.Reason != "" {
			text.WriteString(": " + printable(b.Reason))
		}
		fmt.Fprintf(&text, ", %s dropped\n", packets(b.Dropped))
	}
	if grade, ok := w.grade(); ok {
		text.WriteString(gradeTexts[grade] + "\n")
	}
	if ports := w.evidence.Handshakes; len(ports) > 0 {
		fmt.Fprintf(&text, "new handshakes completed on %s\n", portSample(len(ports), ports))
	}
	return text.String()
}

// toolText says whose headers the probes carry.
func toolText(s event.Source) string {
	whose := s.Tool.String()
	switch s.Tool {
	case event.ToolUnknown:
		return ""
	case event.ToolKernel:
		whose = "a kernel's connect()"
	case event.ToolRaw:
		whose = "a raw socket"
	}
	return fmt.Sprintf(", headers of %s (confidence %s)", whose, s.Confidence)
}

// nowScore writes the scores as they are now, after decay.
func nowScore(w *reasons) string {
	s := w.evidence.Source
	if s.Score == 0 && s.UDPScore == 0 {
		return fmt.Sprintf("0 of %d by now", w.rules.BanScore)
	}
	return scoreText(s, w.rules)
}

// whyLog tells what the event log has instead of evidence.
func (e *environment) whyLog(w *reasons) error {
	if len(w.log) == 0 {
		return e.writeText("the kernel has no evidence, and the event log says nothing\n")
	}
	if err := e.writeText("the kernel has no evidence any more; the event log says:\n\n"); err != nil {
		return err
	}
	for _, r := range w.log {
		if err := eventlog.RenderHuman(e.Stdout, r, e.Zone); err != nil {
			return err
		}
	}
	return nil
}

func (e *environment) whyProbes(w *reasons) error {
	probes, ipv6 := w.evidence.Probes, w.addr.Is6()
	rows := make([][]string, len(probes))
	met := map[string]bool{}
	for i, p := range probes {
		outcome := outcomeOf(p, ipv6)
		met[outcome] = true
		rows[i] = []string{
			p.Time.In(e.Zone).Format("2006-01-02 15:04:05.000"), fmt.Sprint(p.Port), p.Kind.String(), dash(tcpFlagNames(p)),
			ttlText(p), windowText(p), outcome, ruleOf(p, ipv6), fmt.Sprintf("+%d", p.Points), w.scoreAfter(p),
		}
	}
	title := fmt.Sprintf("\n%s counted", plural(w.evidence.Source.Distinct, "probe", "probes"))
	if more := w.evidence.Source.Distinct - len(probes); more > 0 {
		title += fmt.Sprintf(", the latest %d", len(probes))
	}
	if len(probes) > 1 {
		title += " in " + max(probes[len(probes)-1].Time.Sub(probes[0].Time).Round(time.Millisecond), time.Millisecond).String()
	}
	if err := e.writeText(title + ":\n"); err != nil {
		return err
	}
	head := []string{"TIME", "PORT", "KIND", "FLAGS", "TTL", "WINDOW", "OUTCOME", "RULE", "POINTS", "SCORE"}
	if err := e.writeTable(head, rows); err != nil {
		return err
	}
	return e.writeText("\n" + legend(met) + w.captureText())
}

// legend explains the outcomes that the table has.
func legend(met map[string]bool) string {
	var text strings.Builder
	for _, o := range outcomeTexts {
		if met[o.outcome] {
			fmt.Fprintf(&text, "%s: %s\n", o.outcome, o.text)
		}
	}
	return text.String()
}

func (w *reasons) captureText() string {
	if len(w.evidence.Packets) == 0 {
		return ""
	}
	return fmt.Sprintf("the headers of %s are recorded: denmap why %s --pcap FILE\n",
		plural(len(w.evidence.Packets), "packet", "packets"), w.addr)
}

func ttlText(p event.Probe) string {
	if !p.Known {
		return "-"
	}
	return fmt.Sprint(p.TTL)
}

func windowText(p event.Probe) string {
	if tcpFlagNames(p) == "" {
		return "-"
	}
	return fmt.Sprint(p.Window)
}

// scoreAfter writes the score that a probe led to, of the two that it
// counted for.
func (w *reasons) scoreAfter(p event.Probe) string {
	if event.UDPScored.Has(p.Kind) {
		return fmt.Sprintf("udp %d of %d", p.Score, w.rules.UDPBan)
	}
	return fmt.Sprintf("%d of %d", p.Score, w.rules.BanScore)
}
