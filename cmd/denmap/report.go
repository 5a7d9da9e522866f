// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/eventlog"
	"denmap/userspace/lists"
	"denmap/userspace/report"
	"denmap/userspace/units"
)

// reportPeriod is what report looks back without --since.
const reportPeriod = units.Day

func reportCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "sum up what happened, and whom enforcing would have banned",
		Description: "Reads the event log, rotated files included. Whom enforcing would have banned: sources that reached " +
			"the ban score in monitor mode, on the allow list with \"watch\", or protected. Times are as for denmap log.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "only events from `TIME` on", DefaultText: units.FormatDuration(reportPeriod)},
			&cli.StringFlag{Name: "until", Usage: "only events before `TIME`"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			filter, err := reportFilter(env, c)
			if err != nil {
				return err
			}
			cfg, err := env.loadConfig(c)
			if err != nil {
				return err
			}
			sum, err := env.sumUp(c, cfg, filter)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return env.writeJSON(newReportDocument(sum, filter))
			}
			return env.writeReport(sum, filter)
		},
	}
}

func reportFilter(env *environment, c *cli.Context) (f eventlog.Filter, err error) {
	if f.Since, f.Until, err = periodOptions(env, c); err != nil {
		return f, err
	}
	end := env.Now()
	if !f.Until.IsZero() {
		end = f.Until
	}
	if f.Since.IsZero() {
		f.Since = end.Add(-reportPeriod)
	}
	if !f.Since.Before(end) {
		return f, usagef("report: the period ends at %s, before it begins at %s", env.clock(end), env.clock(f.Since))
	}
	return f, nil
}

func (e *environment) sumUp(c *cli.Context, cfg config.Config, f eventlog.Filter) (report.Report, error) {
	b := report.New()
	reader := eventlog.NewReader(eventlog.ReaderOptions{Path: cfg.Log.Path, Filter: f, Notes: e.Stderr})
	err := reader.Read(c.Context, func(r eventlog.Record) error {
		b.Add(r)
		return nil
	})
	if errors.Is(err, eventlog.ErrNoLog) {
		err = withHint(err, "denmap attach writes one; log.path of the configuration names it")
	}
	return b.Report(), err
}

// Bounds on the lists of the document.
const (
	documentSources = 1000
	documentPorts   = 100
)

// reportDocument is the JSON document of report. Numbers of scans are in
// "scans", whatever they are counted by.
type reportDocument struct {
	Schema         int                `json:"schema"`
	Since          time.Time          `json:"since"`
	Until          time.Time          `json:"until,omitzero"` // missing: now
	Records        int                `json:"records"`
	Scans          int                `json:"scans"`
	Sources        int                `json:"sources"`
	Groups         int                `json:"groups"` // of sources that sent the same probes
	Bans           int                `json:"bans"`
	ManualBans     int                `json:"manual_bans"`
	Unbans         int                `json:"unbans"`
	Probes         uint64             `json:"probes"`
	Dropped        uint64             `json:"dropped"`
	EventsLost     uint64             `json:"events_lost"`
	ListChanges    int                `json:"list_changes"`
	Detached       int                `json:"detached"`
	Uncounted      int                `json:"scans_without_source_counts"` // too many sources
	Kinds          []nameCount        `json:"kinds"`
	Tools          []nameCount        `json:"tools"`
	Countries      []nameCount        `json:"countries"`
	Ports          []portCount        `json:"ports"`       // at most 100
	TopSources     []sourceCounts     `json:"top_sources"` // at most 1000
	WouldBan       []wouldBanDocument `json:"would_ban"`   // at most 1000
	WouldBanInFull int                `json:"would_ban_sources"`
}

type nameCount struct {
	Name  string `json:"name"`
	Scans int    `json:"scans"`
}

type portCount struct {
	Port  uint16 `json:"port"`
	Scans int    `json:"scans"`
}

type sourceCounts struct {
	Source  string    `json:"source"`
	Country string    `json:"country,omitempty"`
	Range   string    `json:"range,omitempty"` // "private", ...: addresses of nobody's country
	Scans   int       `json:"scans"`
	Bans    int       `json:"bans"`
	Probes  uint64    `json:"probes"`
	Dropped uint64    `json:"dropped"`
	Scan    []string  `json:"scan"`
	Tool    string    `json:"tool"`
	Grade   string    `json:"grade"`
	Decoy   bool      `json:"one_of_group"` // sent the same as others, and is not proven
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
}

type wouldBanDocument struct {
	sourceCounts
	Cause     string `json:"cause"` // why it was not banned: protected, watched or monitor
	Times     int    `json:"times"`
	Score     int    `json:"score"`
	Threshold int    `json:"threshold"`
	Used      string `json:"used_service"` // "yes" or "no": before its first failed probe
}

func newSourceCounts(s report.Source) sourceCounts {
	country := s.Place.Country
	if country == "" {
		country = s.Place.CountryISO
	}
	return sourceCounts{
		Source: lists.FormatPrefix(s.Source), Country: country, Range: s.Place.Special, Scans: s.Scans, Bans: s.Bans,
		Probes: s.Probes, Dropped: s.Dropped, Scan: s.Kinds.NamesFrom(s.Main), Tool: s.Tool.String(),
		Grade: s.Grade.String(), Decoy: s.Decoy, First: stamp(s.First), Last: stamp(s.Last),
	}
}

func newReportDocument(r report.Report, f eventlog.Filter) reportDocument {
	doc := reportDocument{
		Schema: schema, Since: stamp(f.Since), Until: stamp(f.Until), Records: r.Records, Scans: r.Scans,
		Sources: r.Sources, Groups: r.Decoys, Bans: r.Bans, ManualBans: r.ManualBans, Unbans: r.Unbans,
		Probes: r.Probes, Dropped: r.Dropped, EventsLost: r.Lost, ListChanges: r.ListChanges, Detached: r.Detached,
		Uncounted: r.Overflow, WouldBanInFull: len(r.WouldBan),
		Kinds: nameCounts(r.Kinds), Tools: nameCounts(r.Tools), Countries: nameCounts(r.Countries),
		Ports: []portCount{}, TopSources: []sourceCounts{}, WouldBan: []wouldBanDocument{},
	}
	for _, p := range r.Ports[:min(len(r.Ports), documentPorts)] {
		doc.Ports = append(doc.Ports, portCount(p))
	}
	for _, s := range r.TopSources[:min(len(r.TopSources), documentSources)] {
		doc.TopSources = append(doc.TopSources, newSourceCounts(s))
	}
	for _, w := range r.WouldBan[:min(len(r.WouldBan), documentSources)] {
		doc.WouldBan = append(doc.WouldBan, wouldBanDocument{
			sourceCounts: newSourceCounts(w.Source), Cause: string(w.Cause), Times: w.Times,
			Score: w.Score, Threshold: w.Threshold, Used: yesNo(w.Used),
		})
	}
	return doc
}

func nameCounts(counts []report.Count) []nameCount {
	out := make([]nameCount, len(counts))
	for i, c := range counts {
		out[i] = nameCount(c)
	}
	return out
}
