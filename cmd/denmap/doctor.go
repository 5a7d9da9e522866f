// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/doctor"
)

func doctorCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "say whether this host can run it, in which mode, and what to mend",
		ArgsUsage: "[IFACE...]",
		Description: "Looks at the named interfaces, else at those of the configuration, else at all with an address.\n" +
			"Attaches nothing. Without root, says what it could not see. Exit code 1: something keeps it from protecting.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			cfg, err := env.configAnyway(c)
			if err != nil {
				return err
			}
			report, err := env.diagnose(cfg, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = env.writeJSON(struct {
					Schema int  `json:"schema"`
					OK     bool `json:"ok"`
					doctor.Report
				}{schema, !report.Failed(), report})
			} else {
				err = env.writeText(diagnosisText(report))
			}
			if err == nil && report.Failed() {
				err = exitCode(exitFailed)
			}
			return err
		},
	}
}

// diagnose collects the facts and judges them.
func (e *environment) diagnose(cfg config.Config, names []string) (doctor.Report, error) {
	if len(names) == 0 {
		var err error
		if names, err = wantedInterfaces(e, cfg); err != nil {
			return doctor.Report{}, err
		}
	}
	var reader doctor.Reader
	links, unseen, err := reader.Links(names)
	if err != nil {
		return doctor.Report{}, err
	}
	host := reader.Host(filepath.Dir(e.PinDir))
	host.Unseen = unseen
	unsee := func(what string, err error) {
		if errors.Is(err, fs.ErrPermission) && !e.Root {
			err = errors.New("needs root")
		}
		host.Unseen = append(host.Unseen, fmt.Sprintf("%s: %s", what, oneLine(err)))
	}
	e.askKernel(&host, cfg, unsee)
	network, err := e.Network()
	host.NAT = network.NAT
	if err != nil {
		unsee("address translation", err)
	}
	e.askPrograms(&host, links, unsee)
	return doctor.Examine(host, links), nil
}

// askKernel asks what the program needs, and has it judged.
func (e *environment) askKernel(host *doctor.Host, cfg config.Config, unsee func(string, error)) {
	if err := needCapabilities("asking the kernel about BPF"); err != nil {
		unsee("helpers, tables and the verifier's opinion", err)
		return
	}
	requirements, err := loader.Requirements()
	if err != nil {
		unsee("helpers and tables", err)
		return
	}
	host.Kernel.Asked = true
	for _, r := range requirements {
		switch {
		case r.Err != nil:
			unsee(r.Name, r.Err)
		case r.Missing:
			host.Kernel.Missing = append(host.Kernel.Missing, r.Name)
		}
	}
	host.Kernel.Tried = true
	host.Kernel.Frags, host.Kernel.Loads = loader.TryLoad(loaderSettings(daemon.Settings{Detect: cfg.Detect, Ban: cfg.Ban}))
}

// askPrograms looks at the pinned state and at whose programs run on the
// interfaces.
func (e *environment) askPrograms(host *doctor.Host, links []doctor.Link, unsee func(string, error)) {
	pins := &host.Kernel.Pins
	pins.Dir = e.PinDir
	state, err := loader.OpenState(e.PinDir)
	switch {
	case errors.Is(err, loader.ErrNotAttached):
	case errors.Is(err, fs.ErrPermission):
		unsee("pinned state", err)
	case isOlder(err):
		pins.Present, pins.Older = true, err
	case err != nil:
		pins.Present, pins.Err = true, err
	default:
		defer state.Close()
		pins.Present, pins.Daemon = true, state.DaemonRunning()
		if err := state.CheckNetns(); err != nil {
			unsee("protected interfaces", err)
		}
	}
	if !host.Kernel.Asked {
		// Without the right to ask, the kernel's answer is that of one that
		// has no such programs.
		unsee("programs behind XDP", fs.ErrPermission)
	}
	for i := range links {
		l := &links[i]
		if l.Program.ID != 0 {
			l.Program.Name = loader.ProgramName(l.Program.ID)
			// Of whatever layout: the link says whose it is.
			linked, err := loader.LinkedProgram(e.PinDir, l.Index)
			l.Program.Unseen = errors.Is(err, fs.ErrPermission)
			if err != nil && !l.Program.Unseen {
				unsee("link of "+l.Name, err)
			}
			if linked == l.Program.ID {
				l.Program.Name, l.Program.Ours = "DenMap's", true
			}
		}
		if !l.Exists || !host.Kernel.Asked {
			continue
		}
		if l.TC, err = loader.TrafficControl(l.Index); err != nil {
			unsee("tc programs of "+l.Name, err)
		}
	}
}

// diagnosisText writes the report for people: first how each interface would
// be protected, then what was found, the worst with its remedy.
func diagnosisText(r doctor.Report) string {
	var text strings.Builder
	for _, c := range r.Interfaces {
		line := fmt.Sprintf("%s: attach would use %s XDP (%s)", c.Interface, c.Mode, c.Why)
		switch {
		case c.Mode == doctor.NoMode:
			line = fmt.Sprintf("%s: attach would fail (%s)", c.Interface, c.Why)
		case !c.Certain:
			line = fmt.Sprintf("%s: attach would probably use %s XDP (%s)", c.Interface, c.Mode, c.Why)
		}
		fmt.Fprintln(&text, printable(line))
	}
	for _, f := range r.Findings {
		subject := f.Check
		if f.Interface != "" {
			subject = f.Interface + " " + f.Check
		}
		fmt.Fprintf(&text, "%-5s %s: %s\n", f.Verdict, printable(subject), printable(f.Text))
		if f.Remedy != "" {
			fmt.Fprintf(&text, "      -> %s\n", printable(f.Remedy))
		}
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(&text, "?     not seen: %s\n", printable(u))
	}
	for _, h := range r.Hints {
		fmt.Fprintf(&text, "hint: %s\n", printable(h))
	}
	return text.String()
}
