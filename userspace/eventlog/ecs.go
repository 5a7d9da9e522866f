// SPDX-License-Identifier: MIT

package eventlog

import "time"

// ecsVersion is the version of the Elastic Common Schema whose fields are
// used.
const ecsVersion = "8.11"

// timestamp layouts: events have milliseconds, ends of bans seconds.
const (
	milliLayout  = "2006-01-02T15:04:05.000Z"
	secondLayout = "2006-01-02T15:04:05Z"
)

// milliTime and secondTime are times as JSON strings in UTC.
type (
	milliTime  time.Time
	secondTime time.Time
)

func (t milliTime) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, milliLayout), nil
}

func (t *milliTime) UnmarshalText(b []byte) error { return parseTime((*time.Time)(t), b) }

func (t secondTime) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, secondLayout), nil
}

func (t *secondTime) UnmarshalText(b []byte) error { return parseTime((*time.Time)(t), b) }

func parseTime(t *time.Time, b []byte) error {
	v, err := time.Parse(time.RFC3339Nano, string(b))
	*t = v.UTC()
	return err
}

// document is a JSON line, in the order in which it is written. What is
// not known is left out.
type document struct {
	Timestamp   milliTime       `json:"@timestamp"`
	ECS         ecsField        `json:"ecs"`
	Message     string          `json:"message"`
	Event       ecsEvent        `json:"event"`
	Rule        *ecsName        `json:"rule,omitempty"`
	Threat      *ecsThreat      `json:"threat,omitempty"`
	Related     *ecsRelated     `json:"related,omitempty"`
	Source      *ecsSource      `json:"source,omitempty"`
	Destination *ecsAddress     `json:"destination,omitempty"`
	Network     *ecsNetwork     `json:"network,omitempty"`
	Observer    ecsObserver     `json:"observer"`
	DenMap      denmapNamespace `json:"denmap"`
}

type ecsField struct {
	Version string `json:"version"`
}

type ecsEvent struct {
	ID       string     `json:"id"`
	Module   string     `json:"module"`
	Dataset  string     `json:"dataset"`
	Kind     string     `json:"kind"`
	Category []string   `json:"category"`
	Type     []string   `json:"type"`
	Action   string     `json:"action"`
	Severity int        `json:"severity,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	Start    *milliTime `json:"start,omitempty"`
	End      *milliTime `json:"end,omitempty"`
	Duration *int64     `json:"duration,omitempty"` // nanoseconds
}

type ecsName struct {
	Name string `json:"name"`
}

type ecsThreat struct {
	Technique struct {
		ID []string `json:"id"`
	} `json:"technique"`
}

type ecsRelated struct {
	IP []string `json:"ip"`
}

type ecsSource struct {
	IP  string  `json:"ip"`
	Geo *ecsGeo `json:"geo,omitempty"`
	AS  *ecsAS  `json:"as,omitempty"`
}

type ecsGeo struct {
	CountryISO string       `json:"country_iso_code,omitempty"`
	Country    string       `json:"country_name,omitempty"`
	City       string       `json:"city_name,omitempty"`
	Location   *ecsGeoPoint `json:"location,omitempty"`
}

type ecsGeoPoint struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

type ecsAS struct {
	Number       uint32   `json:"number,omitempty"`
	Organization *ecsName `json:"organization,omitempty"`
}

type ecsAddress struct {
	IP string `json:"ip"`
}

type ecsNetwork struct {
	Type      string `json:"type,omitempty"`
	Transport string `json:"transport,omitempty"`
	Direction string `json:"direction"`
}

type ecsObserver struct {
	Type     string      `json:"type"`
	Product  string      `json:"product"`
	Version  string      `json:"version,omitempty"`
	Hostname string      `json:"hostname,omitempty"`
	Ingress  *ecsIngress `json:"ingress,omitempty"`
}

type ecsIngress struct {
	Interface ecsName `json:"interface"`
}

// denmapNamespace holds what ECS has no field for.
type denmapNamespace struct {
	Schema int `json:"schema"`

	// Scan actions.
	Enforced     *bool        `json:"enforced,omitempty"`
	Scan         []string     `json:"scan,omitempty"` // kinds
	Tool         *denmapTool  `json:"tool,omitempty"`
	Score        *int         `json:"score,omitempty"`
	Threshold    *int         `json:"threshold,omitempty"`
	Probes       *uint64      `json:"probes,omitempty"`
	Ports        *denmapPorts `json:"ports,omitempty"`
	Grade        string       `json:"grade,omitempty"`
	Group        *denmapGroup `json:"group,omitempty"`
	Ban          *denmapBan   `json:"ban,omitempty"`
	Dropped      uint64       `json:"dropped,omitempty"`
	Protected    bool         `json:"protected,omitempty"`
	Watched      bool         `json:"watched,omitempty"`
	UsedService  bool         `json:"used_service,omitempty"`
	SourcePrefix string       `json:"source_prefix,omitempty"` // when the source is more than one address
	SourceRange  string       `json:"source_range,omitempty"`  // "private", ...: addresses of nobody's country
	GeoDatabase  string       `json:"geo_database,omitempty"`

	Mode string      `json:"mode,omitempty"` // attached
	List *denmapList `json:"list,omitempty"` // list-changed
	Lost *denmapLost `json:"lost,omitempty"` // events-lost
}

type denmapTool struct {
	Name       string `json:"name"`
	Confidence string `json:"confidence"`
}

type denmapPorts struct {
	Distinct int      `json:"distinct"`
	Sample   []uint16 `json:"sample,omitempty"`
}

type denmapBan struct {
	Until secondTime `json:"until"`
}

type denmapList struct {
	Name    string `json:"name"`
	Path    string `json:"path,omitempty"`
	Type    string `json:"type,omitempty"`
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Total   int    `json:"total"`
}

type denmapLost struct {
	Stage string `json:"stage"`
	Count uint64 `json:"count"`
}
