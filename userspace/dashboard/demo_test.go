// SPDX-License-Identifier: MIT

package dashboard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

// The people behind the demonstration. Documentation addresses belong to
// nobody, so places are free to choose.
var demoPlaces = []event.Place{
	{CountryISO: "CN", Country: "China", ASNumber: 64496, ASName: "Example Telecom"},
	{CountryISO: "US", Country: "United States", City: "Ashburn", ASNumber: 64497, ASName: "Example Cloud LLC"},
	{CountryISO: "NL", Country: "Netherlands", City: "Amsterdam", ASNumber: 64498, ASName: "Bulletproof Hosting BV"},
	{CountryISO: "RU", Country: "Russia", ASNumber: 64499, ASName: "Example Net"},
	{CountryISO: "GB", Country: "United Kingdom", City: "London", ASNumber: 64500, ASName: "Scanning Research Ltd"},
	{CountryISO: "DE", Country: "Germany", ASNumber: 64501, ASName: "Muster Netz GmbH"},
	{CountryISO: "BR", Country: "Brazil", ASNumber: 64502, ASName: "Exemplo Telecomunicacoes"},
	{CountryISO: "IN", Country: "India", ASNumber: 64503, ASName: "Example Broadband"},
	{CountryISO: "VN", Country: "Vietnam", ASNumber: 64504, ASName: "Example Corporation"},
	{CountryISO: "SG", Country: "Singapore", ASNumber: 64505, ASName: "Example Cloud LLC"},
	{CountryISO: "ZA", Country: "South Africa", ASNumber: 64506, ASName: "Example Networks"},
	{CountryISO: "JP", Country: "Japan", ASNumber: 64507, ASName: "Example KK"},
	{CountryISO: "FR", Country: "France", ASNumber: 64508, ASName: "Exemple SAS"},
	{CountryISO: "UA", Country: "Ukraine", ASNumber: 64509, ASName: "Example ISP"},
}

var demoKinds = []event.Kinds{
	event.Kinds(0).With(event.SYN), event.Kinds(0).With(event.SYN), event.Kinds(0).With(event.Connect),
	event.Kinds(0).With(event.SYN).With(event.OSFingerprint), event.Kinds(0).With(event.FIN).With(event.Xmas).With(event.Null),
	event.Kinds(0).With(event.UDP), event.Kinds(0).With(event.ACK),
}

// demoTools are what sends the kinds at the same place.
var demoTools = []event.Tool{event.ToolMasscan, event.ToolZmap, event.ToolKernel, event.ToolNmap, event.ToolNmap, event.ToolRaw, event.ToolRaw}

var demoPorts = []uint16{21, 22, 23, 25, 80, 110, 135, 139, 143, 443, 445, 993, 1433, 3306, 3389, 5060, 5432, 5900, 6379, 8080, 8443, 9200}

func demoAddr(i int) netip.Prefix {
	switch i % 4 {
	case 0:
		return prefix(fmt.Sprintf("203.0.113.%d", 7+i*5%240))
	case 1:
		return prefix(fmt.Sprintf("198.51.100.%d", 3+i*11%240))
	case 2:
		return prefix(fmt.Sprintf("192.0.2.%d", 20+i*7%200))
	}
	return prefix(fmt.Sprintf("2001:db8:%x::%x", i*37%4096, 1+i))
}

// demo fills a bench as a host on the Internet would look.
func (b *bench) demo(sources int) {
	r := rand.New(rand.NewPCG(1, 2))
	now := b.clock.now()
	var kernel []event.Source
	var bans []event.Ban
	for i := range sources {
		p := demoAddr(i)
		place := demoPlaces[r.IntN(len(demoPlaces))*r.IntN(len(demoPlaces))/len(demoPlaces)]
		distinct := 1 + r.IntN(7)
		state := r.IntN(10)
		if i == 4 {
			state = 0 // there is evidence against it
		}
		if state < 5 {
			distinct = 8 + r.IntN(40)
		}
		first := now.Add(-time.Duration(r.IntN(3000)+10) * time.Second)
		last := first.Add(time.Duration(r.Float64() * float64(now.Sub(first))))
		way := r.IntN(len(demoKinds))
		kinds, tool := demoKinds[way], demoTools[way]
		start := r.IntN(len(demoPorts) - 8)
		ports := demoPorts[start : start+min(distinct, 8)]
		src := event.Source{Prefix: p, First: first, Last: last, Kinds: kinds, Tool: tool, Confidence: event.High, Distinct: distinct, Ports: ports, Score: min(distinct, 8)}
		scan := &event.Scan{
			Source: p, Destination: addr("192.0.2.10"), Kinds: kinds, Tool: tool, Confidence: event.High, Transport: "tcp", Score: src.Score, Threshold: 8,
			Probes: uint64(distinct), Distinct: distinct, Ports: ports, First: first, Last: last, Enforced: true, Place: place,
		}
		e := event.Event{ID: fmt.Sprint(i), Time: last, Action: event.ScanDetected, Scan: scan, Interface: "eth0", Reason: fmt.Sprintf("score %d of 4", src.Score)}
		if kinds.Has(event.UDP) {
			src.UDPScore, src.Score = src.Score*2, 0
		}
		switch {
		case state < 5:
			grade := event.Blind
			if tool == event.ToolKernel { // others complete no handshakes
				grade = event.Proven
			}
			scan.Grade = grade
			scan.BanUntil = now.Add(time.Duration(30+r.IntN(5000)) * time.Second)
			if src.UDPScore == 0 {
				src.Score = 8
			}
			bans = append(bans, event.Ban{Source: p, Grade: grade, Since: last, Until: scan.BanUntil, Dropped: uint64(r.IntN(4000))})
			e.Action, e.Reason = event.SourceBanned, "score 8 of 8"
		case state == 5:
			scan.Watched, scan.Enforced = true, false
		case state == 6:
			scan.Enforced, e.Action = false, event.ScanEnded
		}
		if state != 6 {
			kernel = append(kernel, src)
		}
		if distinct >= 4 {
			b.Handle(e)
		} else {
			b.hub.mu.Lock()
			b.hub.live.place(p.Addr(), place)
			b.hub.mu.Unlock()
		}
	}
	bans = append(bans, event.Ban{Source: prefix("192.0.2.66"), Grade: event.Manual, Since: now.Add(-2 * time.Hour), Until: now.Add(22 * time.Hour), Reason: "abuse report 4711", Dropped: 128})
	b.kernel.set(kernel, bans)
	b.demoMonitor(now)
	b.demoHistory(r, now)
}

func (b *bench) demoMonitor(now time.Time) {
	b.monitor.mu.Lock()
	defer b.monitor.mu.Unlock()
	b.monitor.busy = time.Now()
	b.monitor.counters = []Counter{
		{"eth0", "pass", "established", 184_220_914}, {"eth0", "pass", "open", 311_204}, {"eth0", "pass", "counted", 48_112}, {"eth0", "pass", "allowed", 90_321},
		{"eth0", "drop", "banned", 1_902_118}, {"eth0", "drop", "denied", 220_451}, {"eth0", "drop", "crafted", 31_007}, {"eth0", "drop", "crossed", 2_212},
		{"eth0", "lost", "event", 0}, {"eth0", "lost", "source", 0},
		{"eth1", "pass", "established", 9_220_914}, {"eth1", "drop", "banned", 12_118},
	}
	b.monitor.health = Health{
		Interfaces: []Interface{{Name: "eth0", Hook: "native", Mode: "enforce", Since: now.Add(-190 * time.Hour)}, {Name: "eth1", Hook: "generic", Mode: "enforce", Since: now.Add(-190 * time.Hour)}},
		Tables: []Table{
			{"sources", 1204, 65536, 22 << 20}, {"blind_bans", 311, 65536, 9 << 20}, {"bans", 27, 65536, 9 << 20},
			{"allow_addrs", 14, 65536, 5 << 20}, {"deny_addrs", 51_220, 65536, 5 << 20}, {"deny_nets", 1_290, 65536, 3 << 20}, {"protected", 6, 1024, 90 << 10},
		},
		Lost:     []event.Loss{{Stage: "ring-buffer"}, {Stage: "queue"}, {Stage: "log"}},
		Mail:     &notify.Status{Enabled: true, SentToday: 3, MaxPerDay: 24, LastSent: now.Add(-40 * time.Minute), NextDigest: now.Add(20 * time.Minute)},
		History:  &HistoryHealth{Available: true, Bytes: 48 << 20, Stored: 18_200},
		Config:   ConfigHealth{File: "/etc/denmap/denmap.yaml", Time: now.Add(-3 * time.Hour)},
		Versions: []Fact{{"DenMap", "1.0.0"}, {"Kernel", "6.12.0"}, {"Go", "go1.26"}, {"Place data", "built-in, 2026-11-01"}},
		Started:  now.Add(-190 * time.Hour),
	}
}

func (b *bench) demoHistory(r *rand.Rand, now time.Time) {
	h := b.history
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range 96 {
		busy := uint64(60+25*math.Sin(float64(i)/14)+20*math.Sin(float64(i)/3)) + uint64(r.IntN(40))
		if i == 40 || i == 71 {
			busy *= 4
		}
		h.buckets = append(h.buckets, history.Bucket{
			Start:  now.Truncate(15 * time.Minute).Add(time.Duration(i-95) * 15 * time.Minute),
			Probes: busy * 8, Scans: busy / 6, Bans: busy / 11, Dropped: busy * uint64(20+r.IntN(30)), Passed: 50_000,
		})
	}
	counts := []int{3120, 2440, 1480, 1210, 840, 720, 640, 530, 410, 330, 260, 220, 120, 60}
	for i, p := range demoPlaces {
		h.countries = append(h.countries, history.CountryTotal{ISO: p.CountryISO, Name: p.Country, Scans: counts[i], Sources: counts[i] / 3, Banned: counts[i] / 2})
	}
	h.countries = append(h.countries, history.CountryTotal{Scans: 190, Sources: 80, Banned: 70})
	h.places = []history.PlaceTotal{
		{Latitude: 52.37, Longitude: 4.9, ISO: "NL", City: "Amsterdam", Scans: 1110, Sources: 371, Banned: 560},
		{Latitude: 39.04, Longitude: -77.49, ISO: "US", City: "Ashburn", Scans: 980, Sources: 402, Banned: 488},
		{Latitude: 31.23, Longitude: 121.47, ISO: "CN", City: "Shanghai", Scans: 760, Sources: 301, Banned: 390},
		{Latitude: 39.9, Longitude: 116.4, ISO: "CN", City: "Beijing", Scans: 640, Sources: 212, Banned: 322},
		{Latitude: 51.51, Longitude: -0.13, ISO: "GB", City: "London", Scans: 610, Sources: 198, Banned: 300},
		{Latitude: 50.11, Longitude: 8.68, ISO: "DE", City: "Frankfurt am Main", Scans: 520, Sources: 180, Banned: 244},
		{Latitude: 34.05, Longitude: -118.24, ISO: "US", City: "Los Angeles", Scans: 450, Sources: 160, Banned: 210},
		{Latitude: 55.75, Longitude: 37.62, ISO: "RU", City: "Moscow", Scans: 430, Sources: 140, Banned: 220},
		{Latitude: -23.55, Longitude: -46.63, ISO: "BR", City: "Sao Paulo", Scans: 380, Sources: 121, Banned: 190},
		{Latitude: 1.35, Longitude: 103.82, ISO: "SG", City: "Singapore", Scans: 330, Sources: 110, Banned: 165},
		{Latitude: 19.08, Longitude: 72.88, ISO: "IN", City: "Mumbai", Scans: 240, Sources: 84, Banned: 120},
		{Latitude: 35.68, Longitude: 139.69, ISO: "JP", City: "Tokyo", Scans: 190, Sources: 60, Banned: 92},
		{Latitude: 47.61, Longitude: -122.33, ISO: "US", City: "Seattle", Scans: 170, Sources: 55, Banned: 80},
		{Latitude: 48.86, Longitude: 2.35, ISO: "FR", City: "Paris", Scans: 90, Sources: 31, Banned: 45},
	}
	for i := range 120 {
		place := demoPlaces[r.IntN(len(demoPlaces))]
		way, distinct := r.IntN(len(demoKinds)), 4+r.IntN(12)
		grade := event.Blind
		if demoTools[way] == event.ToolKernel {
			grade = event.Proven
		}
		last := now.Add(-time.Duration(i*11) * time.Minute)
		s := history.Scan{
			ID: fmt.Sprint(i), Action: history.Actions()[r.IntN(3)], Interface: "eth0", Reason: "score 8 of 8", Ended: last.Add(time.Minute),
			Scan: event.Scan{
				Source: demoAddr(i % 40), Kinds: demoKinds[way], Tool: demoTools[way], Score: min(distinct, 8),
				Probes: uint64(r.IntN(900)), Dropped: uint64(r.IntN(9000)), Distinct: distinct, Ports: demoPorts[:distinct],
				First: last.Add(-3 * time.Minute), Last: last, Grade: grade, Place: place,
			},
		}
		h.scans = append(h.scans, s)
		if s.Action == history.Banned {
			h.bans = append(h.bans, history.Ban{ID: s.ID, Source: s.Source, Grade: s.Grade, Since: last, Until: last.Add(10 * time.Minute), Ended: last.Add(10 * time.Minute), Reason: s.Reason, EndReason: "expired", Dropped: s.Dropped})
		}
	}
	h.impact = history.Impact{Scans: 41, Sources: 23, Examples: h.scans[:3]}
	b.evidence.source = demoAddr(4)
	b.evidence.proof = Proof{Handshakes: []uint16{22, 443, 8080}, Packets: 6}
	for i, port := range []uint16{22, 23, 80, 443, 3389, 8080} {
		b.evidence.proof.Probes = append(b.evidence.proof.Probes, Probe{
			Time: now.Add(-time.Duration(60-i) * time.Second), Kind: "syn", Port: port, Detail: "SYN, window 1024, TTL 44",
			Outcome: "crafted", Reason: "exact nmap SYN", Points: 2, Score: 2 * (i + 1),
		})
	}
}
