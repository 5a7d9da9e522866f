// SPDX-License-Identifier: MIT

package main

import (
	"reflect"
	"testing"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
)

// Every stage is told, those without losses too; what the kernel lost is
// told by its counters.
func TestObserversLosses(t *testing.T) {
	o := &observers{config: config.Config{StateDir: t.TempDir()}}
	for _, l := range []event.Loss{{Stage: "queue", Count: 2}, {Stage: "ring-buffer", Count: 50}, {Stage: "queue", Count: 3}} {
		o.handle(event.Event{Action: event.EventsLost, Lost: &l})
	}
	o.losses.add(stageLog, 1)
	want := map[string]uint64{"queue": 5, "log": 1, "history": 0, "page": 0, "mail": 0}
	if got := o.lost(); !reflect.DeepEqual(got, want) {
		t.Errorf("lost %v, want %v", got, want)
	}
	list := []event.Loss{{Stage: "history"}, {Stage: "log", Count: 1}, {Stage: "mail"}, {Stage: "queue", Count: 5}}
	if got := o.lossList(); !reflect.DeepEqual(got, list) {
		t.Errorf("for the page %v, want %v", got, list)
	}
	// A start that takes long keeps a bounded number of events.
	for range maxEarly {
		o.handle(event.Event{Action: event.ScanDetected})
	}
	if got := o.lost()["history"]; got != 3 {
		t.Errorf("%d events beyond those kept, want 3", got)
	}
}

func TestAbsentInterfaces(t *testing.T) {
	cfg := config.Default()
	cfg.Interfaces = []config.Interface{{Name: "eth0"}, {Name: "eth1", XDP: config.XDPGeneric}}
	env := &environment{}
	got, err := env.absent(cfg, []loader.Protection{{Interface: loader.Interface{Name: "eth0"}, Problem: "it has no XDP program"}})
	if err != nil || len(got) != 1 || got[0].Name != "eth1" || got[0].XDP != config.XDPGeneric || got[0].Mode != config.Enforce {
		t.Errorf("absent %+v, %v", got, err)
	}
}
