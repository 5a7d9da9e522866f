// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// examination collects what is known of an address, in the order in which
// the kernel program looks.
type examination struct {
	env   *environment
	cfg   config.Config
	state *loader.State // nil: nothing is attached
	addr  netip.Addr
	facts []fact
}

func (x *examination) add(f fact) { x.facts = append(x.facts, f) }

func (x *examination) run() error {
	steps := []func() error{x.lookPaused, x.lookAllow, x.lookDeny, x.lookBan, x.lookProtected, x.lookScore}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (x *examination) lookPaused() error {
	if x.state == nil {
		x.add(fact{Check: "not-attached", Text: "DenMap is not attached, so every packet does"})
		return nil
	}
	until, err := x.state.Paused()
	if err != nil {
		return err
	}
	if !until.IsZero() {
		x.add(fact{Check: "paused", Text: "paused until " + x.env.clock(until), Until: stamp(until)})
	}
	silent, err := x.state.Silent()
	if err != nil {
		return err
	}
	if silent {
		x.add(fact{Check: "silent", Text: "the daemon is silent for longer than dead_man allows, so every packet does"})
	}
	return nil
}

func (x *examination) lookAllow() error { return x.lookList(lists.Allow) }
func (x *examination) lookDeny() error  { return x.lookList(lists.Deny) }

// lookList asks the kernel whether the address is listed, and the file for
// what the kernel does not keep. They differ while an edit is on its way,
// and while a file is refused.
func (x *examination) lookList(kind lists.Kind) error {
	path := listPath(x.cfg, kind)
	list, err := lists.LoadWithComments(path, kind)
	var refused *lists.RefusedError
	if err != nil && !(x.state != nil && errors.As(err, &refused)) {
		return err
	}
	f := fact{Check: kind.String(), Drop: kind == lists.Deny}
	inFile := false
	if refused != nil {
		x.env.say("%s", oneLine(err))
	} else {
		var entry lists.Entry
		entry, inFile = list.Lookup(netip.PrefixFrom(x.addr, x.addr.BitLen()), x.env.Now())
		if inFile {
			f.List = &listedPrefix{
				Prefix: lists.FormatPrefix(entry.Prefix), Until: entry.Until, Watch: entry.Watch,
				Comment: entry.Comment, Line: entry.Line,
			}
			f.Text = x.entryText(kind, path, entry)
		}
	}
	inKernel := inFile
	if x.state != nil {
		if inKernel, _, err = x.state.Listed(loader.ListName(kind.String()), x.addr); err != nil {
			return err
		}
	}
	switch {
	case inKernel && !inFile:
		f.Text = fmt.Sprintf("%s list in force, though %s does not name it", kind, path)
	case inFile && !inKernel:
		f.Passive = true
		f.Text += ", not in force yet"
	case !inKernel:
		return nil
	}
	x.add(f)
	return nil
}

func (x *examination) entryText(kind lists.Kind, path string, entry lists.Entry) string {
	text := fmt.Sprintf("%s list, %s line %d", kind, path, entry.Line)
	if !entry.Prefix.IsSingleIP() {
		text += ", as part of " + entry.Prefix.String()
	}
	if !entry.Until.IsZero() {
		text += ", " + x.env.until(entry.Until)
	}
	if entry.Watch {
		text += ", watched"
	}
	if entry.Comment != "" {
		text += fmt.Sprintf(" (%s)", entry.Comment)
	}
	return text
}

func (x *examination) lookBan() error {
	bans, err := x.env.readBans(x.cfg, x.state)
	if err != nil {
		return err
	}
	idle, some, err := monitoring(x.state)
	if err != nil {
		return err
	}
	for _, b := range bans {
		if !b.Source.Contains(x.addr) {
			continue
		}
		document := newBanDocument(b)
		text := fmt.Sprintf("banned %s (%s left), %s, %d packets dropped", x.env.until(b.Until), x.env.left(b.Until), b.Grade, b.Dropped)
		if b.Grade == event.Blind {
			text += ", established connections go on"
		}
		if !b.Source.IsSingleIP() {
			text += ", as part of " + b.Source.String()
		}
		if b.Reason != "" {
			text += fmt.Sprintf(" (%s)", b.Reason)
		}
		f := fact{Check: "ban", Drop: true, Text: text, Ban: &document}
		if b.Grade != event.Manual && len(idle) > 0 {
			f.Passive = !some
			f.Text += "; not enforced on " + strings.Join(idle, ", ") + ", in monitor mode"
		}
		x.add(f)
	}
	return nil
}

// monitoring returns the interfaces on which the kernel enforces no
// automatic ban, and whether it does so on others.
func monitoring(state *loader.State) (idle []string, some bool, err error) {
	if state == nil {
		return nil, false, nil
	}
	interfaces, err := state.Interfaces()
	if err != nil {
		return nil, false, err
	}
	for _, i := range interfaces {
		if i.Monitor {
			idle = append(idle, i.Name)
		} else {
			some = true
		}
	}
	return idle, some, nil
}

func (x *examination) lookProtected() error {
	precious, err := x.env.precious(x.state)
	if err != nil {
		return err
	}
	if what := precious.what[x.addr]; what != "" {
		x.add(fact{Check: "protected", Text: what + ", never banned automatically"})
	}
	return nil
}

func (x *examination) lookScore() error {
	if x.state == nil {
		return nil
	}
	source, found, err := x.state.Source(x.addr)
	if err != nil || !found || source.Score == 0 && source.UDPScore == 0 {
		return err
	}
	rules, err := x.state.Rules()
	if err != nil {
		return err
	}
	document := newSourceDocument(source)
	text := fmt.Sprintf("score %s, last probe %s, ports %s", scoreText(source, rules),
		x.env.clock(source.Last), portSample(source.Distinct, source.Ports))
	x.add(fact{Check: "score", Text: text, Source: &document})
	return nil
}
