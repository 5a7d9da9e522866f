// SPDX-License-Identifier: MIT

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/notify"
)

// TestAttachRefused is what attach finds out before it touches the kernel.
func TestAttachRefused(t *testing.T) {
	needRoot(t)
	c := newConsole(t)
	c.expect("attach", refused(2, "attach: no interface given, and none is configured",
		"denmap attach eth0, or interfaces: [eth0] in $DIR/denmap.yaml"))
	c.expect("attach lo --mode fast", refused(2, `option --mode: "fast": expected auto, native or generic`))
	c.compare("attach ''", c.run("attach", ""), refused(2, "attach: expected an interface, got an empty argument"))
	c.contains("attach nosuch0 lo", 1, `denmap: error: attach to "nosuch0": no such interface (this host has: `)
	c.write("deny.list", "203.0.113.1\n\n\n\n\n\n203.0.113.1/24\n")
	c.contains("attach lo", 1, "$DIR/deny.list", "line 7", "203.0.113.1/24", "denmap: hint: denmap lists check")
	c.write("denmap.yaml", "detect: {ban_skore: 8}\n")
	c.contains("attach lo", 1, "$DIR/denmap.yaml:1", "ban_skore")
	if got := c.read("log/events.log") + c.read("state/bans.json"); got != "" {
		t.Errorf("files were written: %s", got)
	}
}

func TestOverrides(t *testing.T) {
	configured := config.Default()
	configured.Interfaces = []config.Interface{{Name: "eth0", XDP: config.XDPGeneric}, {Name: "wan*", Mode: config.Monitor}}
	tests := []struct {
		name string
		over overrides
		want []config.Interface
		mode config.Mode
	}{
		{"nothing", overrides{}, configured.Interfaces, config.Enforce},
		{"a new name", overrides{names: []string{"br0"}}, []config.Interface{{Name: "br0"}}, config.Enforce},
		{"configured names", overrides{names: []string{"eth0", "wan7"}},
			[]config.Interface{{Name: "eth0", XDP: config.XDPGeneric, Mode: config.Enforce}, {Name: "wan7", XDP: config.XDPAuto, Mode: config.Monitor}}, config.Enforce},
		{"mode", overrides{xdp: config.XDPNative},
			[]config.Interface{{Name: "eth0", XDP: config.XDPNative}, {Name: "wan*", XDP: config.XDPNative, Mode: config.Monitor}}, config.Enforce},
		{"monitor", overrides{names: []string{"br0"}, monitor: true}, []config.Interface{{Name: "br0", Mode: config.Monitor}}, config.Monitor},
	}
	for _, test := range tests {
		got := test.over.apply(configured)
		if !reflect.DeepEqual(got.Interfaces, test.want) || got.Mode != test.mode {
			t.Errorf("%s: %+v, mode %s, want %+v, %s", test.name, got.Interfaces, got.Mode, test.want, test.mode)
		}
	}
	if configured.Interfaces[0].XDP != config.XDPGeneric {
		t.Error("the configuration itself was changed")
	}
}

func TestNotifyOptions(t *testing.T) {
	cfg := config.Default()
	if o := notifyOptions(cfg, "web1"); o.Enabled() {
		t.Errorf("somebody is notified by default: %+v", o)
	}
	cfg.StateDir = t.TempDir()
	cfg.Mail = config.Mail{Host: "192.0.2.25", From: "denmap@example.org", To: []string{"root@example.org"}, Digest: time.Hour, MaxPerDay: 24}
	for mode, want := range map[config.TLSMode]struct {
		tls  string
		port int
	}{config.StartTLS: {notify.TLSStartTLS, 587}, config.TLS: {notify.TLSImplicit, 465}} {
		cfg.Mail.TLS = mode
		o := notifyOptions(cfg, "web1")
		if o.TLS != want.tls || o.Port != want.port || o.StateDir != cfg.StateDir {
			t.Errorf("%s: TLS %q, port %d", mode, o.TLS, o.Port)
		}
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// TestWiring opens the optional outputs as attach does.
func TestWiring(t *testing.T) {
	c := newConsole(t)
	var stderr strings.Builder
	w := &wiring{env: c.env, stderr: newLines(&stderr)}
	cfg := config.Default()
	cfg.StateDir = c.path("state")
	if n, err := w.notify(cfg); n != nil || err != nil {
		t.Errorf("notifier without a destination: %v, %v", n, err)
	}
	cfg.Mail.Host, cfg.Mail.To = "192.0.2.25", []string{"nonsense"}
	if n, err := w.notify(cfg); n != nil || err == nil {
		t.Errorf("notifier with a bad recipient: %v, %v", n, err)
	}
	cfg.Geo.Databases = []string{c.path("none.mmdb")}
	l, err := w.locate(cfg)
	if err == nil || l == nil {
		t.Fatalf("locator with a missing database: %v, %v, want both", l, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	w.report("two\nlines")
	w.stderr.close()
	if got := stderr.String(); got != "denmap: two; lines\n" {
		t.Errorf("report wrote %q", got)
	}
	if w.progress() != nil {
		t.Error("progress without a terminal")
	}
}

func TestCapabilities(t *testing.T) {
	have := effectiveCapabilities()
	err := needCapabilities("attach")
	for _, c := range needed {
		if have&(1<<c.bit) == 0 && (err == nil || !strings.Contains(err.Error(), c.name)) {
			t.Errorf("without %s: %v", c.name, err)
		}
	}
	if err != nil && !strings.HasPrefix(err.Error(), "attach needs ") {
		t.Errorf("error %q", err)
	}
}
