// SPDX-License-Identifier: MIT

package main

// Where DenMap may stand besides on the host that is scanned.
const (
	published = "published"
	routed    = "routed"
	bridged   = "bridged"
)

// placed are scans of closed ports at a host that DenMap is in front of.
var placed = []scan{
	nmap("connect", "kernel-connect", onePoint, "-sT -p 7101-7150 --host-timeout 8s").at(published),
	nmap("syn", "nmap", twoPoints, "-sS -p 7101-7150").at(published),
	nmap("syn", "", onePoint, "-sS --ttl 65 -p 7101-7150").at(published).ipv4(),
	nmap("fin", "nmap", twoPoints, "-sF -p 7101-7150").at(published),
	nmap("ack", "nmap", onePoint, "-sA -p 7101-7150").at(published),
	nmap("", "", 0, "-sU -p 7101-7150").at(published).because("may be for a host behind"),
	nmap("connect", "kernel-connect", onePoint, "-sT -p 7101-7150 --host-timeout 8s").at(routed),
	nmap("syn", "nmap", twoPoints, "-sS -p 7101-7150").at(routed),
	nmap("syn", "", onePoint, "-sS --ttl 65 -p 7101-7150").at(routed).ipv4(),
	nmap("fin", "nmap", twoPoints, "-sF -p 7101-7150").at(routed),
	nmap("", "", 0, "-sA -p 7101-7150").at(routed).because("the answer is another host's"),
	nmap("", "", 0, "-sU -p 7101-7150").at(routed).because("the answer is another host's"),
	nmap("connect", "kernel-connect", onePoint, "-sT -p 7101-7150 --host-timeout 8s").at(bridged),
	nmap("syn", "nmap", twoPoints, "-sS -p 7101-7150").at(bridged),
	nmap("syn", "", onePoint, "-sS --ttl 65 -p 7101-7150").at(bridged).ipv4(),
	nmap("fin", "nmap", twoPoints, "-sF -p 7101-7150").at(bridged),
	nmap("", "", 0, "-sA -p 7101-7150").at(bridged).because("the answer is another host's"),
	nmap("", "", 0, "-sU -p 7101-7150").at(bridged).because("the answer is another host's"),
}

// at says what the victim is.
func (s scan) at(place string) scan { s.place = place; return s }

// settle puts the target behind the victim, as the place wants it.
func (s *site) settle(place string) {
	v4, v6 := s.victim.IPv4, s.victim.IPv6
	switch place {
	case published:
		v4, v6 = s.lab.Publish(s.victim, 7001, 7200, 8)
	case routed:
		v4, v6 = s.lab.Route(s.victim, s.attacker)
	case bridged:
		_, v4, v6 = s.lab.Bridge(s.victim)
	}
	if s.to = v4; s.version == 6 {
		s.to = v6
	}
}
