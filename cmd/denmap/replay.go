// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/replay"
)

// maxReplay bounds the memory that a capture takes, in bytes: a host that
// runs out of it serves nobody.
const maxReplay = 4 << 30

func replayCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "run a capture through the kernel program and print what it would detect",
		ArgsUsage: "FILE|-",
		Description: "FILE is pcap or pcapng, plain or gzip, with Ethernet, raw IP, Linux cooked, PPP or null " +
			"link headers; - reads it from standard input, to its end (tcpdump -c 100000 -w - | denmap replay -). Every destination in it is judged as if DenMap protected it alone; answers in " +
			"the capture say whether a probe failed. Who asks many of one network for the same port is found as well. Nothing is attached and no table in use is touched. " +
			"With --json, one line for each detection.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Usage: "judge only what was sent to `ADDR`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON lines"},
		},
		Action: func(c *cli.Context) error {
			path, err := oneArgument(c, "a capture file")
			if err != nil {
				return err
			}
			cfg, err := env.loadConfig(c)
			if err != nil {
				return err
			}
			o := replay.Options{MinScore: cfg.Detect.AlertScore, SweepScore: cfg.Detect.UDPAlertScore, MaxBytes: maxReplay, Progress: env.progress("packets judged:")}
			if reading := env.progress("packets read:"); reading != nil {
				o.Read = func(packets int) { reading(packets, 0) }
			}
			if c.IsSet("host") {
				if o.Host, err = lists.ParseAddr(c.String("host")); err != nil {
					return badValue(err)
				}
			}
			return env.replay(path, cfg, o, c.Bool("json"))
		},
	}
}

func (e *environment) replay(path string, cfg config.Config, o replay.Options, asJSON bool) error {
	settings := loaderSettings(daemon.Settings{Detect: cfg.Detect, Ban: cfg.Ban})
	runner, err := loader.NewRunner(loader.RunnerOptions{Settings: settings, AnyHost: true})
	if err != nil {
		return err
	}
	defer runner.Close()
	var result replay.Result
	if path == "-" {
		result, err = replay.RunFrom(e.Stdin, "standard input", replayProgram{runner}, o)
	} else {
		result, err = replay.Run(path, replayProgram{runner}, o)
	}
	if errors.Is(err, replay.ErrTooLarge) {
		err = withHint(err, "choose one destination with --host, or cut the capture with tcpdump -r FILE -w PART host ADDR")
	}
	if err != nil && !errors.Is(err, replay.ErrDamaged) && !errors.Is(err, replay.ErrTooLarge) {
		return err
	}
	if werr := e.writeDetections(result, asJSON); werr != nil {
		return werr
	}
	e.say("%s, %s", plural(result.Packets, "packet", "packets"), plural(len(result.Detections), "detection", "detections"))
	if result.Skipped > 0 {
		e.say("%s could not be read: unknown link type or too short", plural(result.Skipped, "packet", "packets"))
	}
	if result.OneSided {
		e.say("the capture shows one direction only: whether probes failed is unknown, and each is counted as if it had")
	}
	return err
}

// replayProgram is the real program as package replay wants it.
type replayProgram struct{ *loader.Runner }

func (p replayProgram) SetOutcome(o replay.Outcome) error {
	return p.Runner.SetOutcome(map[replay.Outcome]loader.Outcome{
		replay.Unknown: loader.OutcomeUnknown, replay.Open: loader.OutcomeOpen, replay.Closed: loader.OutcomeClosed,
	}[o])
}

func (p replayProgram) Run(frame []byte) error {
	_, err := p.Runner.Run(frame)
	return err
}

func (p replayProgram) Events() ([]event.Detection, error) { return p.Runner.Events() }

// replayDocument is one detection in JSON.
type replayDocument struct {
	Schema      int        `json:"schema"`
	Source      string     `json:"source"`
	Destination netip.Addr `json:"destination"`
	Verdict     string     `json:"verdict"` // "ban" or "alert"
	Outcome     string     `json:"outcome"` // "seen", or "unknown" in a one-sided capture
	Scan        []string   `json:"scan"`
	Tool        string     `json:"tool"`
	Confidence  string     `json:"tool_confidence"`
	Score       int        `json:"score"`
	Distinct    int        `json:"distinct"`
	Ports       []uint16   `json:"ports"`
	First       time.Time  `json:"first"`
	Alerted     time.Time  `json:"alerted"`
	AlertProbes int        `json:"probes_until_alert"`
	Banned      *time.Time `json:"banned,omitempty"`
	BanProbes   int        `json:"probes_until_ban,omitempty"`
}

func newReplayDocument(d replay.Detection, oneSided bool) replayDocument {
	doc := replayDocument{
		Schema: schema, Source: lists.FormatPrefix(d.Source), Destination: d.Destination, Verdict: "alert", Outcome: "seen",
		Scan: d.Kinds.NamesFrom(d.Main), Tool: d.Tool.String(), Confidence: d.Confidence.String(), Score: d.Score,
		Distinct: d.Distinct, Ports: append([]uint16{}, d.Ports...), First: d.First.UTC(),
		Alerted: d.Alerted.UTC(), AlertProbes: d.AlertProbes,
	}
	if oneSided {
		doc.Outcome = "unknown"
	}
	if !d.Banned.IsZero() {
		at := d.Banned.UTC()
		doc.Verdict, doc.Banned, doc.BanProbes = "ban", &at, d.BanProbes
	}
	return doc
}

func (e *environment) writeDetections(result replay.Result, asJSON bool) error {
	found := result.Detections
	if asJSON {
		enc := json.NewEncoder(e.Stdout)
		for _, d := range found {
			if err := enc.Encode(newReplayDocument(d, result.OneSided)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	rows := make([][]string, len(found))
	for i, d := range found {
		verdict := "alert"
		if !d.Banned.IsZero() {
			verdict = "ban"
		}
		rows[i] = []string{
			d.First.UTC().Format("2006-01-02 15:04:05"), lists.FormatPrefix(d.Source), d.Destination.String(), verdict,
			strings.Join(d.Kinds.NamesFrom(d.Main), ","), d.Tool.String(), portSample(d.Distinct, d.Ports),
		}
	}
	return e.writeTable([]string{"FIRST (UTC)", "SOURCE", "DESTINATION", "WOULD", "SCAN", "TOOL", "PORTS"}, rows)
}
