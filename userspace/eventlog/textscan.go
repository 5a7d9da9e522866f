// SPDX-License-Identifier: MIT

package eventlog

import (
	"net/netip"
	"strconv"
	"strings"

	"denmap/userspace/event"
)

// custom is for values of a scan that fit none of the above.
func custom(key string, get func(*event.Scan) string, set func(*event.Scan, string) error) textField {
	return textField{
		key: key,
		get: func(r *Record) string {
			if r.Event.Scan == nil {
				return ""
			}
			return get(r.Event.Scan)
		},
		set: func(r *Record, v string) error {
			if r.Event.Scan == nil {
				return nil
			}
			return set(r.Event.Scan, v)
		},
	}
}

func getSource(s *event.Scan) string {
	if !s.Source.IsValid() {
		return ""
	}
	return sourceText(s)
}

func setSource(s *event.Scan, v string) (err error) {
	s.Source, err = parseSource(v)
	return err
}

func getDestination(s *event.Scan) string {
	if !s.Destination.IsValid() {
		return ""
	}
	return s.Destination.String()
}

func setDestination(s *event.Scan, v string) (err error) {
	s.Destination, err = netip.ParseAddr(v)
	return err
}

func getKinds(s *event.Scan) string { return strings.Join(s.Kinds.NamesFrom(s.Main), ",") }

func setKinds(s *event.Scan, v string) error {
	names := strings.Split(v, ",")
	s.Kinds, s.Main = parseKinds(names), mainKind(names)
	return nil
}

func getTool(s *event.Scan) string {
	if s.Tool == event.ToolUnknown {
		return ""
	}
	return s.Tool.String() + "," + s.Confidence.String()
}

func setTool(s *event.Scan, v string) error {
	name, confidence, _ := strings.Cut(v, ",")
	s.Tool, s.Confidence = parseTool(name), parseConfidence(confidence)
	return nil
}

func getEnforced(s *event.Scan) string { return yesNo(s.Enforced) }

func setEnforced(s *event.Scan, v string) error {
	s.Enforced = v == "yes"
	return nil
}

func getGrade(s *event.Scan) string { return s.Grade.String() }

func setGrade(s *event.Scan, v string) error {
	s.Grade = parseGrade(v)
	return nil
}

func getPorts(s *event.Scan) string {
	parts := make([]string, len(s.Ports))
	for i, p := range s.Ports {
		parts[i] = strconv.Itoa(int(p))
	}
	return strings.Join(parts, ",")
}

func setPorts(s *event.Scan, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		p, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return err
		}
		s.Ports = append(s.Ports, uint16(p))
	}
	return nil
}

func getLocation(s *event.Scan) string {
	if !s.Place.HasCoordinates {
		return ""
	}
	f := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return f(s.Place.Latitude) + "," + f(s.Place.Longitude)
}

func setLocation(s *event.Scan, v string) error {
	lat, lon, _ := strings.Cut(v, ",")
	p := &s.Place
	var err error
	if p.Latitude, err = strconv.ParseFloat(lat, 64); err != nil {
		return err
	}
	if p.Longitude, err = strconv.ParseFloat(lon, 64); err != nil {
		return err
	}
	p.HasCoordinates = true
	return nil
}
