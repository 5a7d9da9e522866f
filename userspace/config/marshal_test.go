// SPDX-License-Identifier: MIT

package config

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func fullConfig() Config {
	c := Default()
	c.Interfaces = []Interface{{"eth0", XDPAuto, ""}, {"wg*", XDPAuto, ""}, {"*", XDPGeneric, Monitor}, {"123", XDPAuto, Enforce}, {"null", XDPAuto, ""}}
	c.Mode = Monitor
	c.Detect.IgnorePorts = []PortRange{{22, 22}, {6000, 6100}}
	c.Detect.DropCrafted = false
	c.Detect.Decay = 36*time.Hour + time.Second
	c.Log.MaxSize = 64001
	c.Log.Also = []Destination{Syslog}
	c.Geo.Databases = []string{"/a b: #c.mmdb", "/é"}
	c.Mail = Mail{"2001:db8::25", 2525, TLS, "true", "/p", `"Müller, A." <a@example.org>`, []string{"b@example.org", "C <c@example.org>"}, time.Minute, 1}
	c.Notify.URLs = []string{"telegram://secret@telegram?chats=1", "ntfy://ntfy.example.org/x"}
	c.Dashboard.Listen = ""
	c.Metrics.Listen = "[::]:9790"
	return c
}

func TestMarshalRoundTrip(t *testing.T) {
	for _, c := range []Config{Default(), fullConfig()} {
		data, err := Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse([]Source{{"yaml", data}}); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("got %+v, %v\nwant %+v\nfrom\n%s", back, err, c, data)
		}
		data, err = json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse([]Source{{"json", data}}); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("got %+v, %v\nwant %+v\nfrom\n%s", back, err, c, data)
		}
	}
}

func TestMarshalIsForPeople(t *testing.T) {
	data, err := Marshal(fullConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"interfaces: [eth0, wg*, {name: '*', xdp: generic, mode: monitor}, {name: \"123\", mode: enforce}, \"null\"]",
		"mode: monitor", "detect:", "  decay: 1d12h1s", "  ignore_ports: [\"22\", 6000-6100]", "  max_size: 64001B", "  max_size: 1GB", "  drop_crafted: false",
	} {
		if !strings.Contains("\n"+string(data), "\n"+line+"\n") {
			t.Errorf("no line %q in\n%s", line, data)
		}
	}
}

func TestMarshalJSON(t *testing.T) {
	data, err := json.Marshal(struct {
		Schema int    `json:"schema"`
		Config Config `json:"config"`
	}{1, fullConfig()})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Config struct {
			Interfaces []any
			Detect     struct {
				BanScore int    `json:"ban_score"`
				Decay    string `json:"decay"`
				Drop     *bool  `json:"drop_crafted"`
			}
			Mail struct{ To []string }
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	c := got.Config
	if len(c.Interfaces) != 5 || c.Detect.BanScore != 8 || c.Detect.Decay != "1d12h1s" || c.Detect.Drop == nil || *c.Detect.Drop || len(c.Mail.To) != 2 {
		t.Errorf("got %+v from %s", c, data)
	}
}

func TestMarshalRefusesWhatLoadWould(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`detect.ban_score: "99"`:    func(c *Config) { c.Detect.BanScore = 99 },
		`ban.duration: "1.5s"`:      func(c *Config) { c.Ban.Duration = 1500 * time.Millisecond },
		`ban.duration: "0s"`:        func(c *Config) { c.Ban.Duration = 0 },
		`mode: ""`:                  func(c *Config) { c.Mode = "" },
		`state_dir: "/a\nb"`:        func(c *Config) { c.StateDir = "/a\nb" },
		`interfaces[0]: "a/b"`:      func(c *Config) { c.Interfaces = []Interface{{Name: "a/b"}} },
		`mail.host: "mx": `:         func(c *Config) { c.Mail.Host = "mx" },
		`detect.ignore_ports[0]: "`: func(c *Config) { c.Detect.IgnorePorts = []PortRange{{9, 1}} },
	} {
		c := Default()
		change(&c)
		if data, err := Marshal(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q; wrote\n%s", err, want, data)
		}
	}
}

func TestRedacted(t *testing.T) {
	c := fullConfig()
	r := c.Redacted()
	data, err := Marshal(r)
	if err != nil || strings.Contains(string(data), "secret") || !strings.Contains(string(data), "telegram://hidden-1") {
		t.Errorf("got %v\n%s", err, data)
	}
	if c.Notify.URLs[0] != "telegram://secret@telegram?chats=1" {
		t.Error("the original lost its secret")
	}
	r.Notify = c.Notify
	if !reflect.DeepEqual(r, c) {
		t.Error("more than the secrets changed")
	}
}
