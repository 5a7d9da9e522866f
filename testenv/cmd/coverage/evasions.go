// SPDX-License-Identifier: MIT

package main

import "time"

// evasions are what Nmap's manual and its users offer against being seen.
var evasions = []scan{
	nmap("syn", "", onePoint, "-sS -F --ttl 65").evading(plainly),
	nmap("syn", "nmap", twoPoints, "-sS -F --source-port 53").evading(plainly),
	nmap("ack", "nmap", onePoint, "-sA -F -g 80").evading("nmap -sA -F"),
	nmap("udp", "", slowScore, "-sU --top-ports 60 --source-port 53").evading("nmap -sU --top-ports 60"),
	nmap("syn", "nmap", twoPoints, "-sS -F --data-length 25").evading(plainly),
	nmap("syn", "nmap", twoPoints, "-sS -F --badsum").evading(plainly),
	nmap("fragment", "", twoPoints, "-sS -F -f").ipv4().evading(plainly),
	nmap("fragment", "", twoPoints, "-sS -F --mtu 16").ipv4().evading(plainly),
	nmap("syn", "nmap", twoPoints, "-sS -F --scanflags SYNPSH").evading(plainly),
	nmap("syn", "nmap", twoPoints, "-sS -F -D 203.0.113.5,203.0.113.6,203.0.113.7,ME").ipv4().evading(plainly),
	nmap("ip-protocol", "", onePoint, "-sO -D 203.0.113.5,203.0.113.6,203.0.113.7,ME").ipv4().evading("nmap -sO"),
	nmap("syn", "nmap", twoPoints, "-sS -F -D 2001:db8:a::5,2001:db8:b::6,2001:db8:c::7,ME").ipv6().evading(plainly),
	nmap("syn", "nmap", twoPoints, "-sS -T2 -p 22,80,443,1-6").evading(plainly),
	nmap("connect", "kernel-connect", onePoint, "-sT -T2 -p 22,80,443,1-9").evading("nmap -sT -F --host-timeout 8s"),
	hopping(),
	likeKernel(),
}

// slowScans are too slow to wait for. What the scanner really sends is
// recorded, spread over the time that it would take, and given to the same
// program with a clock that says so.
var slowScans = []scan{
	slow("syn", twoPoints, "-sS -T1", 15*time.Second),
	slow("syn", twoPoints, "-sS -T0", 5*time.Minute),
	slow("connect", onePoint, "-sT -T1", 15*time.Second),
	slow("connect", onePoint+1, "-sT -T0", 5*time.Minute),
	slow("fin", twoPoints, "-sF -T0", 5*time.Minute),
	slow("udp", slowScore+2, "-sU -T1", 15*time.Second),
	slow("udp", slowScore+3, "-sU -T0", 5*time.Minute),
	slow("syn", onePoint, "-sS --scan-delay 25m", 25*time.Minute),
	slow("", 0, "-sT --scan-delay 31m", 31*time.Minute).because("a point is lost every 30 minutes"),
	slow("", 0, "-sS --scan-delay 61m", 61*time.Minute).because("a point is lost every 30 minutes"),
}
