// SPDX-License-Identifier: MIT

package config

import "testing"

func TestFor(t *testing.T) {
	c := Default()
	c.Mode = Monitor
	c.Interfaces = []Interface{
		{Name: "eth*", XDP: XDPNative},
		{Name: "eth1", Mode: Enforce},
		{Name: "*0", XDP: XDPGeneric},
		{Name: `a\*`},
	}
	tests := []struct {
		name string
		want Interface
		ok   bool
	}{
		{"eth0", Interface{"eth*", XDPNative, Monitor}, true},
		{"eth1", Interface{"eth1", XDPAuto, Enforce}, true},
		{"wan0", Interface{"*0", XDPGeneric, Monitor}, true},
		{"a*", Interface{`a\*`, XDPAuto, Monitor}, true},
		{"wan1", Interface{}, false},
		{"", Interface{}, false},
	}
	for _, tt := range tests {
		if got, ok := c.For(tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("For(%q) = %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestPatternsSpareLoopback(t *testing.T) {
	if (Interface{Name: "*"}).Match("lo") || (Interface{Name: "l?"}).Match("lo") {
		t.Error("a pattern matches lo")
	}
	if !(Interface{Name: "lo"}).Match("lo") {
		t.Error("its name does not match lo")
	}
}

func TestPortRange(t *testing.T) {
	r := PortRange{10, 20}
	for port, want := range map[uint16]bool{9: false, 10: true, 20: true, 21: false} {
		if r.Contains(port) != want {
			t.Errorf("%v.Contains(%d) = %v", r, port, !want)
		}
	}
}

func TestServerPort(t *testing.T) {
	for m, want := range map[TLSMode]int{StartTLS: 587, TLS: 465, NoTLS: 25} {
		if got := (Mail{TLS: m}).ServerPort(); got != want {
			t.Errorf("%s: got %d, want %d", m, got, want)
		}
	}
	if got := (Mail{TLS: TLS, Port: 2525}).ServerPort(); got != 2525 {
		t.Errorf("got %d, want 2525", got)
	}
	if (Mail{}).Enabled() || !(Mail{Host: "mx"}).Enabled() {
		t.Error("Enabled does not follow Host")
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"detect.ban_score", "detect.alert_score", "mode", "ban.duration"}
	for name, want := range map[string]string{
		"ban_score": "detect.ban_score", "banscore": "detect.ban_score", "Ban-Score": "detect.ban_score",
		"duratoin": "ban.duration", "mod": "mode", "modes": "mode", "x": "", "": "", "zzzzzz": "",
		"ban_score_of_a_name_that_is_far_too_long_for_us": "",
	} {
		if got := nearest(name, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
