// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"strings"

	"denmap/testenv"
)

// session is what was typed on the hosts and what they said, in order.
type session struct{ steps []step }

type step struct {
	host, command string
	output        []string
}

// record runs the same scan without and with DenMap, as a person at the
// two terminals would, and returns what both showed.
func record(lab *testenv.Lab) *session {
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	s := &session{}
	scan := []string{"-n", "-Pn", "-sS", victim.IPv4.String()}
	nmap := func() {
		r := attacker.MustTool("nmap", scan...)
		s.add("attacker", "nmap "+strings.Join(scan, " "), r.Stdout)
	}
	denmap := func(args ...string) {
		s.add("victim", "denmap "+strings.Join(args, " "), victim.MustDenmap(args...).Stdout)
	}
	nmap()
	daemon := victim.Attach()
	s.add("victim", "denmap attach eth0 &", daemon.Stderr())
	nmap()
	victim.WaitBan(attacker.IPv4)
	denmap("log")
	denmap("check", attacker.IPv4.String())
	denmap("why", attacker.IPv4.String())
	return s
}

func (s *session) add(host, command, output string) {
	s.steps = append(s.steps, step{host, command, strings.Split(strings.Trim(output, "\n"), "\n")})
}

// picture writes the session as a picture.
func picture(lab *testenv.Lab, path string) error {
	return os.WriteFile(path, []byte(record(lab).svg()), 0o644)
}
