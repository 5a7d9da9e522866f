// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"net/netip"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	"denmap/userspace/pcap"
)

func whyCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "why",
		Usage:     "show the evidence behind a score or a ban",
		ArgsUsage: "ADDR",
		Description: "Lists the latest probes that were counted, with what spoke against each. What the kernel has " +
			"forgotten is told from the event log. The capture holds the headers of the latest sixteen, without " +
			"the first ones of a source, for Wireshark.",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.StringFlag{Name: "pcap", Usage: "write the recorded headers to the capture `FILE`; - is standard output"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite FILE"},
		},
		Action: func(c *cli.Context) error {
			addr, err := oneAddress(c)
			if err != nil {
				return err
			}
			o := whyOptions{json: c.Bool("json"), capture: c.IsSet("pcap"), path: c.String("pcap"), force: c.Bool("force")}
			if err := o.check(); err != nil {
				return err
			}
			cfg, err := env.loadConfig(c)
			if err != nil {
				return err
			}
			w, err := env.why(c, cfg, addr)
			if err != nil {
				return err
			}
			return env.answerWhy(w, o)
		},
	}
}

// whyOptions is where the evidence goes.
type whyOptions struct {
	json    bool
	capture bool
	path    string
	force   bool
}

func (o whyOptions) check() error {
	switch {
	case o.capture && o.path == "":
		return usagef("option --pcap: expected the name of a file, or -")
	case o.path == "-" && o.json:
		return usagef("why: --json and --pcap - both want standard output")
	case o.force && !o.capture:
		return usagef("option --force: expected --pcap FILE with it")
	}
	return nil
}

// reasons is all that is known against an address.
type reasons struct {
	addr     netip.Addr
	attached bool
	rules    loader.Rules // of what is attached
	evidence event.Evidence
	bans     []event.Ban
	log      []eventlog.Record // only if there are no probes; the latest last
}

// loggedReasons bounds the records that stand in for forgotten evidence.
const loggedReasons = 16

func (e *environment) why(c *cli.Context, cfg config.Config, addr netip.Addr) (*reasons, error) {
	w := &reasons{addr: addr}
	state, err := e.optionalState()
	if err != nil {
		return nil, err
	}
	if state != nil {
		defer state.Close()
		if err := w.ask(state); err != nil {
			return nil, err
		}
	}
	bans, err := e.readBans(cfg, state)
	if err != nil {
		return nil, err
	}
	for _, b := range bans {
		if b.Source.Contains(addr) {
			w.bans = append(w.bans, b)
		}
	}
	if len(w.evidence.Probes) > 0 {
		return w, nil
	}
	return w, e.readReasons(c, cfg, w)
}

func (w *reasons) ask(state *loader.State) (err error) {
	w.attached = true
	if w.rules, err = state.Rules(); err != nil {
		return err
	}
	w.evidence, _, err = state.Evidence(w.addr)
	return err
}

func (e *environment) readReasons(c *cli.Context, cfg config.Config, w *reasons) error {
	reader := eventlog.NewReader(eventlog.ReaderOptions{
		Path: cfg.Log.Path, Last: loggedReasons, Notes: e.Stderr,
		Filter: eventlog.Filter{Source: netip.PrefixFrom(w.addr, w.addr.BitLen())},
	})
	err := reader.Read(c.Context, func(r eventlog.Record) error {
		w.log = append(w.log, r)
		return nil
	})
	if errors.Is(err, eventlog.ErrNoLog) {
		return nil
	}
	return err
}

// grade is the surest one that anything says, and false if nothing does.
func (w *reasons) grade() (grade event.Grade, known bool) {
	for _, b := range w.bans {
		grade, known = max(grade, b.Grade), true
	}
	switch {
	case known:
		return grade, true
	case len(w.evidence.Probes) > 0:
		return w.evidence.Grade, true
	case len(w.log) > 0:
		return w.log[len(w.log)-1].Event.Scan.Grade, true
	}
	return event.Blind, false
}

// answerWhy writes the capture before anything is said, so that a refusal
// says nothing but that.
func (e *environment) answerWhy(w *reasons, o whyOptions) error {
	if o.capture {
		done, err := e.writeCapture(w, o)
		if done || err != nil {
			return err
		}
	}
	if o.json {
		return e.whyJSON(w)
	}
	return e.whyText(w)
}

// writeCapture reports whether it took standard output.
func (e *environment) writeCapture(w *reasons, o whyOptions) (done bool, err error) {
	recorded := w.evidence.Packets
	if len(recorded) == 0 {
		return false, withHint(errors.New("no packet of "+w.addr.String()+" is recorded"),
			"the kernel keeps the headers of the sources that came last, from their second probe on")
	}
	if o.path == "-" {
		return true, pcap.Write(e.Stdout, recorded)
	}
	err = pcap.WriteFile(o.path, recorded, o.force)
	if errors.Is(err, pcap.ErrExists) {
		return false, withHint(err, "--force overwrites it")
	}
	if err == nil {
		e.say("wrote the headers of %s to %s", plural(len(recorded), "packet", "packets"), o.path)
	}
	return false, err
}

// whyDocument is the JSON document of why.
type whyDocument struct {
	Schema   int               `json:"schema"`
	Address  string            `json:"address"`
	Attached bool              `json:"attached"`
	Grade    string            `json:"grade,omitempty"`           // missing: nothing is known
	Proof    []uint16          `json:"handshake_ports,omitempty"` // completed since its first failure
	Source   *sourceDocument   `json:"source,omitempty"`
	BanScore int               `json:"ban_score,omitempty"`
	UDPBan   int               `json:"udp_ban_score,omitempty"`
	Bans     []banDocument     `json:"bans"`
	Probes   []probeDocument   `json:"probes"`            // the latest, oldest first
	Packets  int               `json:"packets"`           // recorded for --pcap
	Log      []json.RawMessage `json:"log"`               // lines of the event log, if there are no probes
	Missing  string            `json:"missing,omitempty"` // why there are no probes
}

func (e *environment) whyJSON(w *reasons) error {
	doc := whyDocument{
		Schema: schema, Address: w.addr.String(), Attached: w.attached, Missing: w.missing(),
		Proof: w.evidence.Handshakes, BanScore: w.rules.BanScore, UDPBan: w.rules.UDPBan, Packets: len(w.evidence.Packets),
		Bans: []banDocument{}, Probes: []probeDocument{}, Log: []json.RawMessage{},
	}
	if grade, ok := w.grade(); ok {
		doc.Grade = grade.String()
	}
	if len(w.evidence.Probes) > 0 {
		source := newSourceDocument(w.evidence.Source)
		doc.Source = &source
	}
	for _, b := range w.bans {
		doc.Bans = append(doc.Bans, newBanDocument(b))
	}
	for _, p := range w.evidence.Probes {
		doc.Probes = append(doc.Probes, newProbeDocument(p, w.addr.Is6()))
	}
	for _, r := range w.log {
		line, err := r.JSON()
		if err != nil {
			return err
		}
		doc.Log = append(doc.Log, line)
	}
	return e.writeJSON(doc)
}

// missing says why there are no probes to show; empty if there are.
func (w *reasons) missing() string {
	switch {
	case len(w.evidence.Probes) > 0:
		return ""
	case !w.attached:
		return "not-attached"
	case len(w.bans) > 0 || len(w.log) > 0:
		return "forgotten"
	}
	return "nothing-known"
}
