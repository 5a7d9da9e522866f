// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"denmap/userspace/dashboard"
	"denmap/userspace/event"
	"denmap/userspace/pcap"
)

// evidence is what the kernel keeps of a source.
func (k *pageKernel) evidence(source netip.Prefix) (event.Evidence, error) {
	s, err := k.open()
	if err != nil {
		return event.Evidence{}, err
	}
	e, _, err := s.Evidence(source.Addr())
	return e, err
}

// Proof is "denmap why" for the page, in the same words.
func (k *pageKernel) Proof(_ context.Context, source netip.Prefix) (dashboard.Proof, error) {
	e, err := k.evidence(source)
	if err != nil {
		return dashboard.Proof{}, err
	}
	if len(e.Probes) == 0 {
		return dashboard.Proof{}, dashboard.ErrNoEvidence
	}
	ipv6 := source.Addr().Is6()
	proof := dashboard.Proof{Handshakes: e.Handshakes, Packets: len(e.Packets)}
	for _, p := range e.Probes {
		proof.Probes = append(proof.Probes, dashboard.Probe{
			Time: p.Time.UTC(), Kind: p.Kind.String(), Port: p.Port, Detail: headerText(p),
			Outcome: outcomeOf(p, ipv6), Reason: ruleOf(p, ipv6), Points: p.Points, Score: p.Score,
		})
	}
	return proof, nil
}

// headerText tells what of a probe's header is remembered.
func headerText(p event.Probe) string {
	var parts []string
	if flags := tcpFlagNames(p); flags != "" {
		parts = append(parts, flags, fmt.Sprintf("window %d", p.Window))
	}
	if p.Known {
		parts = append(parts, fmt.Sprintf("TTL %d", p.TTL))
	}
	return dash(strings.Join(parts, ", "))
}

// Capture writes the recorded headers.
func (k *pageKernel) Capture(_ context.Context, source netip.Prefix, w io.Writer) error {
	e, err := k.evidence(source)
	if err != nil {
		return err
	}
	if len(e.Packets) == 0 {
		return dashboard.ErrNoEvidence
	}
	return pcap.Write(w, e.Packets)
}
