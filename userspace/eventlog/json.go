// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// ruleName and technique say what an alert is about: MITRE ATT&CK T1595 is
// Active Scanning.
const (
	ruleName  = "port-scan"
	technique = "T1595"
)

func (r Record) encodeJSON() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // names of networks contain "&"
	if err := enc.Encode(r.document()); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func (r Record) document() document {
	e := r.Event
	c := classify(e)
	d := document{
		Timestamp: milliTime(e.Time),
		ECS:       ecsField{ecsVersion},
		Message:   r.Message,
		Event: ecsEvent{
			ID: e.ID, Module: "denmap", Dataset: "denmap.events",
			Kind: c.kind, Category: c.category, Type: c.types,
			Action: string(e.Action), Severity: r.Severity, Reason: e.Reason,
		},
		Observer: ecsObserver{
			Type: "ips", Product: "DenMap",
			Version: r.Meta.Version, Hostname: r.Meta.Hostname,
		},
		DenMap: denmapNamespace{Schema: schemaVersion, Mode: e.Mode},
	}
	if e.Interface != "" {
		d.Observer.Ingress = &ecsIngress{ecsName{e.Interface}}
	}
	if l := e.List; l != nil {
		d.DenMap.List = &denmapList{l.List, l.Path, l.Type, l.Added, l.Removed, l.Total}
	}
	if l := e.Lost; l != nil {
		d.DenMap.Lost = &denmapLost{l.Stage, l.Count}
	}
	if e.Scan != nil {
		d.addScan(e.Scan)
	}
	return d
}

func (d *document) addScan(s *event.Scan) {
	d.Rule = &ecsName{ruleName}
	d.Threat = &ecsThreat{}
	d.Threat.Technique.ID = []string{technique}
	d.Network = &ecsNetwork{Transport: s.Transport, Direction: "ingress"}
	if a := s.Source.Addr(); a.IsValid() {
		// source.ip must be an address: of a prefix it is the first one.
		d.Source = &ecsSource{IP: a.String(), Geo: geoOf(s.Place), AS: asOf(s.Place)}
		d.Related = &ecsRelated{relatedAddrs(s)}
		d.Network.Type = "ipv4"
		if a.Is6() {
			d.Network.Type = "ipv6"
		}
		if !s.Source.IsSingleIP() {
			d.DenMap.SourcePrefix = s.Source.String()
		}
	}
	if s.Destination.IsValid() {
		d.Destination = &ecsAddress{s.Destination.String()}
	}
	if !s.First.IsZero() {
		d.Event.Start = (*milliTime)(&s.First)
	}
	if !s.Last.IsZero() {
		d.Event.End = (*milliTime)(&s.Last)
	}
	if span, ok := duration(s); ok {
		ns := span.Nanoseconds()
		d.Event.Duration = &ns
	}

	m := &d.DenMap
	m.Enforced, m.Scan = &s.Enforced, s.Kinds.NamesFrom(s.Main)
	if s.Tool != event.ToolUnknown {
		m.Tool = &denmapTool{s.Tool.String(), s.Confidence.String()}
	}
	m.Score, m.Threshold, m.Probes = &s.Score, &s.Threshold, &s.Probes
	m.Ports = &denmapPorts{s.Distinct, s.Ports}
	m.Grade, m.Dropped = s.Grade.String(), s.Dropped
	m.Group = groupDocument(s.Group)
	m.Protected, m.Watched, m.UsedService = s.Protected, s.Watched, s.UsedService
	m.SourceRange, m.GeoDatabase = s.Place.Special, s.Place.Database
	if !s.BanUntil.IsZero() {
		m.Ban = &denmapBan{secondTime(s.BanUntil)}
	}
}

func geoOf(p event.Place) *ecsGeo {
	g := ecsGeo{CountryISO: p.CountryISO, Country: p.Country, City: p.City}
	if p.HasCoordinates {
		g.Location = &ecsGeoPoint{p.Latitude, p.Longitude}
	}
	if g == (ecsGeo{}) {
		return nil
	}
	return &g
}

func asOf(p event.Place) *ecsAS {
	if p.ASNumber == 0 && p.ASName == "" {
		return nil
	}
	as := ecsAS{Number: p.ASNumber}
	if p.ASName != "" {
		as.Organization = &ecsName{p.ASName}
	}
	return &as
}

func decodeJSON(line []byte) (Record, error) {
	var d document
	if err := json.Unmarshal(line, &d); err != nil {
		return Record{}, err
	}
	if d.Event.Action == "" || time.Time(d.Timestamp).IsZero() {
		return Record{}, fmt.Errorf("no event.action or no @timestamp")
	}
	r := Record{
		Event: event.Event{
			ID: d.Event.ID, Time: time.Time(d.Timestamp), Action: event.Action(d.Event.Action),
			Reason: d.Event.Reason, Mode: d.DenMap.Mode,
		},
		Meta:     Meta{Version: d.Observer.Version, Hostname: d.Observer.Hostname},
		Message:  d.Message,
		Severity: d.Event.Severity,
	}
	if i := d.Observer.Ingress; i != nil {
		r.Event.Interface = i.Interface.Name
	}
	if l := d.DenMap.List; l != nil {
		r.Event.List = &event.ListChange{List: l.Name, Path: l.Path, Type: l.Type, Added: l.Added, Removed: l.Removed, Total: l.Total}
	}
	if l := d.DenMap.Lost; l != nil {
		r.Event.Lost = &event.Loss{Stage: l.Stage, Count: l.Count}
	}
	if !isScan(r.Event.Action) {
		return r, nil
	}
	s, err := d.scan()
	r.Event.Scan = s
	return r, err
}

// scan is the reverse of addScan.
func (d *document) scan() (*event.Scan, error) {
	m := &d.DenMap
	s := &event.Scan{
		Score: value(m.Score), Threshold: value(m.Threshold), Probes: value(m.Probes), Enforced: value(m.Enforced),
		Dropped: m.Dropped, Protected: m.Protected, Watched: m.Watched, UsedService: m.UsedService,
		Kinds: parseKinds(m.Scan), Main: mainKind(m.Scan), Grade: parseGrade(m.Grade),
		First: time.Time(value(d.Event.Start)), Last: time.Time(value(d.Event.End)),
	}
	if d.Network != nil {
		s.Transport = d.Network.Transport
	}
	if m.Tool != nil {
		s.Tool, s.Confidence = parseTool(m.Tool.Name), parseConfidence(m.Tool.Confidence)
	}
	if m.Ports != nil {
		s.Distinct, s.Ports = m.Ports.Distinct, m.Ports.Sample
	}
	if m.Ban != nil {
		s.BanUntil = time.Time(m.Ban.Until)
	}
	s.Place.Special, s.Place.Database = m.SourceRange, m.GeoDatabase

	var err error
	if s.Group, err = m.Group.group(); err != nil {
		return nil, err
	}
	if d.Source != nil {
		text := d.Source.IP
		if m.SourcePrefix != "" {
			text = m.SourcePrefix
		}
		if s.Source, err = parseSource(text); err != nil {
			return nil, err
		}
		if g := d.Source.Geo; g != nil {
			s.Place.CountryISO, s.Place.Country, s.Place.City = g.CountryISO, g.Country, g.City
			if g.Location != nil {
				s.Place.HasCoordinates, s.Place.Latitude, s.Place.Longitude = true, g.Location.Lat, g.Location.Lon
			}
		}
		if as := d.Source.AS; as != nil {
			s.Place.ASNumber = as.Number
			s.Place.ASName = value(as.Organization).Name
		}
	}
	if d.Destination != nil {
		if s.Destination, err = netip.ParseAddr(d.Destination.IP); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// value returns what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
