// SPDX-License-Identifier: MIT

package main

import (
	"slices"
	"time"

	"denmap/testenv"
)

// Distinct failures that a ban may take: a point each, two points each,
// and the higher score of UDP and of sweeps.
const (
	onePoint  = 8
	twoPoints = 4
	slowScore = 16
	sweepOne  = slowScore + 1 // the first is not known for a sweep yet
	sweepTwo  = slowScore/2 + 1
)

// scan is one way of scanning the victim, and what DenMap should make of
// it.
type scan struct {
	name    string        // as a reader would type it, without the target
	kind    string        // the label that most probes should get; empty: silence is right
	tool    string        // the tool that should be named; empty: any
	most    int           // distinct failures until the ban, at most; 0: an alert is all that is due
	only    int           // the IP version, 0: both
	evasion bool          // meant to stay unnoticed: its gain is told
	plain   string        // the scan that it is compared with
	note    string        // why the row is as it is
	config  string        // content of the configuration file
	addrs   int           // addresses of the victim besides its own
	hops    int           // addresses that the scanner sends from
	gap     time.Duration // between two ports, by a clock that the program is told
	place   string        // what the victim is besides a host: see places.go
	run     func(*site) testenv.Result
}

func (s scan) versions() []int {
	if s.only != 0 {
		return []int{s.only}
	}
	return []int{4, 6}
}

var scans = slices.Concat(tcpScans, connectScans, flagScans, otherScans, searches, sweepScans, placed, evasions, slowScans)

// tcpScans ask with a SYN.
var tcpScans = []scan{
	nmap("syn", "nmap", twoPoints, "-sS -F"),
	{name: "masscan -p1-1000", kind: "syn", tool: "masscan", most: twoPoints, only: 4, run: masscan("1-1000")},
	{name: "masscan -p1-1000", kind: "syn", tool: "masscan", most: twoPoints, only: 6, run: masscan("1-1000")},
	handmade("SYNs of masscan 1.3.9", "masscan", twoPoints, newMasscan),
	handmade("SYNs of naabu", "raw-unknown", twoPoints, naabu),
	handmade("SYNs of sx", "raw-unknown", twoPoints, sx),
	handmade("SYNs of furious", "raw-unknown", onePoint, furious).ipv4(),
	nmap("syn", "nmap", twoPoints, "-sS -F -T5 --min-rate 5000").ipv4(),
	hping("syn", "--scan 1-200 -S"),
	hping("syn", "-S -p ++1 -c 50 -i u2000"),
	hping("syn", "-S -d 40 -p ++1 -c 50 -i u2000"),
	hping("syn", "-S --tcp-timestamp -p ++1 -c 50 -i u2000"),
	nping("syn", "nping", twoPoints, "--tcp -p 1-60"),
	scapy("syn", "scapy", twoPoints, "TCP(dport=(1,60),flags='S')"),
	tool("syn", "raw-unknown", twoPoints, "scan6", "-i", uplink, "-d", "{}", "-j", "tcp:1-60").ipv6(),
	nmap("syn", "nmap", twoPoints, "-sV -F"),
}

// connectScans leave the SYN to a kernel.
var connectScans = []scan{
	nmap("connect", "kernel-connect", onePoint, "-sT -F --host-timeout 8s"),
	nping("connect", "kernel-connect", onePoint, "--tcp-connect -p 1-20"),
	tool("connect", "kernel-connect", onePoint, "nc", "-n", "-z", "-w", "1", "{}", "1-12"),
	tool("connect", "kernel-connect", onePoint, "nc.traditional", "-n", "-z", "-w", "1", "{}", "1-60").ipv4(),
	tool("connect", "kernel-connect", onePoint, "pnscan", "-n", "64", "{}", "1:60").ipv4(),
	tool("connect", "kernel-connect", onePoint, "dmitry", "-p", "-t", "1", "{}").ipv4(),
	eachPort("ncat -z -w 100ms HOST PORT").ipv4(),
	eachPort("timeout 0.1 bash -c 'echo > /dev/tcp/HOST/PORT'").ipv4(),
	{name: "python socket.connect()", kind: "connect", tool: "kernel-connect", most: onePoint, run: pythonConnect},
}

// flagScans send TCP flags that open no connection.
var flagScans = []scan{
	nmap("fin", "nmap", twoPoints, "-sF -F"),
	hping("fin", "-F -p ++1 -c 50 -i u2000"),
	nmap("xmas", "nmap", twoPoints, "-sX -F"),
	hping("xmas", "-F -P -U -p ++1 -c 50 -i u2000"),
	nmap("null", "nmap", twoPoints, "-sN -F"),
	hping("null", "-p ++1 -c 50 -i u2000"),
	scapy("null", "", twoPoints, "TCP(dport=(1,60),flags=0)"),
	nmap("ack", "nmap", onePoint, "-sA -F"),
	nmap("ack", "nmap", onePoint, "-sW -F"),
	hping("ack", "-A -p ++1 -c 50 -i u2000").within(onePoint),
	nmap("ack", "nmap", onePoint, "-sA -F --data-length 20"),
	nmap("ack", "nmap", onePoint, "-sF -F --scanflags PSHACK").ipv4(),
	nmap("ack", "nmap", onePoint, "-sF -F --scanflags URGACK").ipv4(),
	hping("ack", "-A -d 20 -p ++1 -c 50 -i u2000").within(onePoint),
	scapy("ack", "", onePoint, "TCP(dport=(1,60),flags='A')").ipv4(),
	nmap("maimon", "nmap", onePoint, "-sM -F"),
	nmap("maimon", "nmap", onePoint, "-sM -F --data-length 20"),
	scapy("maimon", "", onePoint, "TCP(dport=(1,60),flags='FA')").ipv4(),
	nmap("odd-flags", "nmap", twoPoints, "-sS -F --scanflags SYNFIN"),
	nmap("odd-flags", "nmap", twoPoints, "-sS -F --scanflags SYNRST"),
	nmap("odd-flags", "nmap", twoPoints, "-sF -F --scanflags URG"),
	nmap("odd-flags", "nmap", twoPoints, "-sF -F --scanflags PSH"),
	nmap("odd-flags", "nmap", twoPoints, "-sF -F --scanflags FINURG"),
	nmap("odd-flags", "nmap", twoPoints, "-sS -F --scanflags URGACKPSHRSTSYNFINECECWR"),
	nmap("syn", "nmap", twoPoints, "-sS -F --scanflags SYNPSHURG"),
	nmap("null", "nmap", twoPoints, "-sF -F --scanflags ECECWR"),
	nmap("odd-flags", "nmap", onePoint, "-sF -F --scanflags SYNACK"),
	hping("odd-flags", "-S -A -p ++1 -c 50 -i u2000").within(onePoint),
	nmap("odd-flags", "nmap", onePoint, "-sF -F --scanflags RST"),
	hping("odd-flags", "-R -p ++1 -c 50 -i u2000").within(onePoint),
	scapy("", "", 0, "TCP(dport=(1,60),flags='SA')").ipv4().because("backscatter of a forged flood looks the same"),
}

// otherScans leave TCP, or its plain header.
var otherScans = []scan{
	nmap("udp", "", slowScore, "-sU --top-ports 60"),
	{name: "masscan -pU:1-1000", kind: "udp", most: slowScore, run: masscan("U:1-1000")},
	hping("udp", "-2 -p ++1 -c 60 -i u2000").within(slowScore).by(""),
	nping("udp", "", slowScore, "--udp -p 1-60"),
	tool("udp", "", slowScore, "nc.traditional", "-n", "-u", "-z", "-w", "1", "{}", "1-30").ipv4(),
	tool("udp", "", slowScore, "scan6", "-i", uplink, "-d", "{}", "-j", "udp:1-60").ipv6(),
	scapy("udp", "", slowScore, "UDP(dport=(1,60))"),
	nmap("sctp", "", onePoint, "-sY -F"),
	nmap("sctp", "", onePoint, "-sZ -F"),
	{name: "masscan -pS:1-100", kind: "sctp", most: onePoint, run: masscan("S:1-100")},
	nmap("ip-protocol", "", onePoint, "-sO"),
	nmap("syn", "nmap", twoPoints, "-O -F"),
	nmap("os-fingerprint", "nmap", 0, "-O -p 22,81").with("detect: {drop_crafted: false}\n").because("two ports and one of UDP"),
	nmap("os-fingerprint", "nmap", 0, "-O -p 22,81").ipv4().because("two ports"),
	nmap("fragment", "", twoPoints, "-sS -F -f").ipv4(),
	nmap("fragment", "", twoPoints, "-sS -F --mtu 8").ipv4(),
	nmap("fragment", "", twoPoints, "-sS -F --mtu 16").ipv4(),
	nmap("fragment", "", twoPoints, "-sF -F -f").ipv4(),
	nmap("fragment", "", twoPoints, "-sA -F -f").ipv4(),
	nmap("syn", "nmap", twoPoints, "-sS -F --mtu 24 --data-length 40").ipv4(),
	nmap("syn", "nmap", twoPoints, "-sS -F --badsum"),
	nmap("syn", "nmap", twoPoints, "-sS -F --data-length 30"),
	nmap("syn", "nmap", twoPoints, "-sS -F --ip-options R").ipv4(),
	nmap("syn", "nmap", twoPoints, "-sS -F --ip-options T").ipv4(),
	chain("hop-by-hop options", "syn", hopByHop),
	chain("12 destination options headers", "syn", times(12, destinationOptions)),
	chain("a routing header, 0 segments left", "syn", routing),
	chain("an atomic fragment header", "syn", atomicFragment),
	chain("hop-by-hop, destination, routing and fragment headers", "syn", hopByHop, destinationOptions, routing, atomicFragment),
	chain("20 destination options headers", "", times(20, destinationOptions)).because("dropped on sight, counted once an address"),
}

// searches are Nmap's for hosts, where they ask many ports of one.
var searches = []scan{
	search("syn", "nmap", twoPoints, "-PS1-60"),
	search("ack", "nmap", onePoint, "-PA1-60").ipv4(),
	search("udp", "", 0, "-PU1-60").ipv4().because("ten probes are all that it sends at once"),
	search("sctp", "", onePoint, "-PY1-60").ipv4(),
	search("ip-protocol", "", onePoint, "-PO60-90").ipv4(),
}

// sweepScans ask many addresses for one port.
var sweepScans = []scan{
	sweep("zmap -p 81", "sweep", "zmap", sweepTwo, 4, zmapSweep),
	sweep("masscan -p81", "sweep", "masscan", sweepTwo, 4, masscanSweep),
	sweep("masscan -p81", "sweep", "masscan", sweepTwo, 6, masscanSweep),
	sweep("nmap -sS -p 81", "sweep", "nmap", sweepTwo, 0, nmapSweep("-sS")),
	sweep("nmap -sT -p 81", "sweep", "kernel-connect", sweepOne, 0, nmapSweep("-sT")),
	sweep("nmap -sU -p 161", "sweep", "", slowScore, 0, nmapSweep("-sU", "-p", "161")),
	sweep("nmap -sF -p 81", "sweep", "nmap", sweepTwo, 0, nmapSweep("-sF")),
}
