// SPDX-License-Identifier: MIT

package testenv

// twin is something honest that resembles a scan. run returns an error
// when it was not served as it should be; that nobody was flagged is for
// the caller to look at.
type twin struct {
	name string
	like string // the kind of scan that it resembles, in the log's words
	run  func(visit) error
}

// twinGroup is twins that need the same lab. prepare, if any, is called
// before DenMap is attached.
type twinGroup struct {
	name    string
	prepare func(visit) error
	twins   []twin
}

var serviceTwins = []twin{
	{"200 HTTP requests in a row", "connect", func(v visit) error { return v.get(1, 200) }},
	{"50 HTTP requests at once", "connect", func(v visit) error { return v.get(50, 1) }},
	{"20 tries of one closed port", "connect", func(v visit) error { return v.refused(8080, 20) }},
	{"passive FTP with 15 data ports", "connect", visit.passiveTransfers},
	{"active FTP with 15 data ports", "syn", visit.activeTransfers},
	{"200 DNS answers", "udp", visit.nameQueries},
	{"100 health checks", "connect", func(v visit) error { return v.connect(100, false) }},
	{"a browser's burst", "connect", visit.browse},
	{"50 connections aborted by RST", "connect", func(v visit) error { return v.connect(50, true) }},
	{"clients of services that were stopped", "connect", visit.restart},
	{"bulk transfers in both directions", "ack", visit.bulk},
}

var answerTwins = []twin{
	{"late DNS answers", "udp", func(v visit) error { return v.lateReplies(53, 0, 1) }},
	{"late NTP answers", "udp", func(v visit) error { return v.lateReplies(123, 0, 1) }},
	{"late QUIC packets", "udp", func(v visit) error { return v.lateReplies(443, 0, 5) }},
	{"a peer that closes 200 forgotten connections", "maimon", func(v visit) error { return v.forgotten(200, 0) }},
	{"a crawler that meets dead hosts", "syn", visit.crawl},
	{"backscatter of other people's floods", "odd-flags", visit.backscatter},
	{"answers of eight services to a forger", "udp", visit.reflected},
	{"late answers to a search for devices", "udp", visit.discovered},
}

var peerTwins = []twin{
	{"a load balancer's half-open checks of ten services", "syn", visit.halfOpen},
	{"the last RTP packets of 100 calls", "udp", visit.calls},
	{"reports on 40 calls that nobody reads", "udp", visit.reports},
	{"broadcast and multicast", "udp", visit.announcements},
	{"200 BitTorrent-like peers", "udp", visit.peers},
	{"50 Gnutella-like peers", "connect", visit.gnutella},
	{"three traceroutes towards the host", "udp", visit.traceroute},
	{"a long mtr and tracepath towards the host", "udp", visit.trace},
}

var stackTwins = []twin{
	{"a mail relay that meets dead hosts", "connect", visit.relay},
	{"a monitor of ten services that restart", "connect", visit.monitor},
	{"urgent data and half-closed connections", "odd-flags", visit.urgent},
	{"clients with ECN, fast open and multipath TCP", "syn", visit.congestion},
	{"20 controllers and phones with odd SYNs", "syn", visit.oddStacks},
	{"30 fragmented datagrams", "fragment", visit.fragments},
	{"an SCTP peer of a lost association", "sctp", visit.associations},
	{"what routers and tunnel ends send", "ip-protocol", visit.tunnels},
	{"a client of 16 addresses of the host", "sweep", visit.manyAddresses},
	{"a mail program that guesses its settings", "connect", visit.guessSettings},
}

var twinGroups = []twinGroup{
	{name: "services", twins: serviceTwins},
	{name: "answers", twins: answerTwins},
	{name: "peers", twins: peerTwins},
	{name: "stacks", prepare: visit.addAddrs, twins: stackTwins},
	{name: "after a reboot", prepare: visit.beforeReboot, twins: []twin{
		{"peers of ten services after a reboot", "ack", visit.afterReboot},
	}},
	{name: "after a reboot with DenMap", prepare: visit.beforeProtectedReboot, twins: []twin{
		{"peers of ten services that hang up after a reboot", "maimon", visit.hangUp},
	}},
	{name: "restarts", twins: []twin{
		{"a monitoring system first seen when ten services are down", "connect", visit.monitored},
	}},
	{name: "SYN cookies", prepare: func(v visit) error {
		return v.victim.Inside(func() error { return setSysctl("net/ipv4/tcp_syncookies", "2") })
	}, twins: append(serviceTwins, peerTwins[0])},
	{name: "no timestamps", prepare: withoutTimestamps, twins: append(append(serviceTwins, answerTwins[3]), peerTwins[0])},
}

func withoutTimestamps(v visit) error {
	off := func() error { return setSysctl("net/ipv4/tcp_timestamps", "0") }
	if err := v.victim.Inside(off); err != nil {
		return err
	}
	return v.client.Inside(off)
}
