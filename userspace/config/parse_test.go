// SPDX-License-Identifier: MIT

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

func parseText(text string) (Config, error) {
	return Parse([]Source{{"f.yaml", []byte(text)}})
}

func mustParse(t *testing.T, text string) Config {
	t.Helper()
	c, err := parseText(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

func TestParseEmpty(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "null\n", "detect:\nmail:\n", "{}", "detect: {}\n", "\ufeffmode: enforce\n"} {
		if c := mustParse(t, text); !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: got %+v, want the defaults", text, c)
		}
	}
}

func TestParseEveryKey(t *testing.T) {
	c := mustParse(t, `
interfaces: [eth0, "wg*", {name: eth1, xdp: generic, mode: monitor}]
mode: monitor
detect:  {alert_score: 1, ban_score: 32, udp_alert_score: 2, udp_ban_score: 3, decay: 1h30m, ipv6_prefix: 128, drop_crafted: false, ignore_ports: [113, 6000-6100]}
ban:     {duration: 1h, multiplier: 1, max_duration: 2w}
lists:   {allow: /a, deny: /b}
log:     {path: /l, format: text, max_size: 64KB, keep: 0, compress: false, also: [syslog, journal]}
geo:     {databases: [/x.mmdb, /y.mmdb], ipstack_key_file: /k}
mail:    {host: mx.example.org, port: 25, tls: none, username: 007, password_file: /p, from: "DenMap <denmap@example.org>", to: [a@example.org], digest: 1d, max_per_day: 1}
notify:
  urls: ["telegram://token@telegram?chats=1"]
  min_severity: 3
  watched: true
  internal: [192.0.2.0/24, "2001:db8::1"]
  at_once: [source-banned]
  in_digest: [events-lost]
  never: [list-changed]
  allow_plaintext: true
dashboard: {listen: "[::1]:80"}
metrics: {listen: ":9790"}
history: {keep: 1h, max_size: 1MB}
limits: {sources: 1024, bans: 1048576, blind_bans: 2048}
state_dir: /s
`)
	want := Config{
		Interfaces: []Interface{{"eth0", XDPAuto, ""}, {"wg*", XDPAuto, ""}, {"eth1", XDPGeneric, Monitor}},
		Mode:       Monitor,
		Detect:     Detect{1, 32, 2, 3, 90 * time.Minute, 128, false, []PortRange{{113, 113}, {6000, 6100}}},
		Ban:        Ban{time.Hour, 1, 14 * 24 * time.Hour},
		Lists:      Lists{"/a", "/b"},
		Log:        Log{"/l", Text, 64000, 0, false, []Destination{Syslog, Journal}},
		Geo:        Geo{[]string{"/x.mmdb", "/y.mmdb"}, "/k"},
		Mail:       Mail{"mx.example.org", 25, NoTLS, "007", "/p", "DenMap <denmap@example.org>", []string{"a@example.org"}, 24 * time.Hour, 1},
		Notify: Notify{
			URLs: []string{"telegram://token@telegram?chats=1"}, MinSeverity: 3, Watched: true,
			Internal: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")},
			AtOnce:   []event.Action{event.SourceBanned}, InDigest: []event.Action{event.EventsLost}, Never: []event.Action{event.ListChanged},
			AllowPlaintext: true,
		},
		Dashboard: Dashboard{"[::1]:80"},
		Metrics:   Metrics{":9790"},
		History:   History{time.Hour, 1e6},
		Limits:    Limits{1024, 1 << 20, 2048},
		StateDir:  "/s",
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestAccepted(t *testing.T) {
	for _, text := range []string{
		"detect: {ban_score: \"9\"}",
		"detect: {ipv6_prefix: 32}", "detect: {ipv6_prefix: 64}",
		"detect: {alert_score: 8}",
		"detect: {decay: 1s}", "detect: {decay: 30d}",
		"detect: {ignore_ports: [1, 65535, '1-65535']}",
		"interfaces: []", "interfaces: [a23456789012345]", "interfaces: ['*', 'eth[0-9]', {name: eth0}]",
		"interfaces:\n- eth0\n- name: eth1\n  mode: enforce\n",
		"interfaces: [eth0.100, br-1a2b, wlan0, veth1_x, 'é0']",
		"ban: {duration: 24h}", "ban: {duration: 365d, max_duration: 365d}",
		"log: {max_size: 64KB}", "log: {max_size: 1 GB}", "log: {keep: 1000}",
		"mail: {port: 0}", "mail: {port: 65535}",
		"mail: {username: me, password_file: smtp-password}", "mail: {username: me, password_file: $CREDENTIALS_DIRECTORY/smtp}",
		"notify: {at_once: [attached], never: [list-changed, scan-ended]}",
		"mail: {host: 192.0.2.25, to: [a@example.org]}", "mail: {host: '2001:db8::25', to: [a@example.org]}",
		"dashboard: {listen: ''}", "dashboard: {listen: 'localhost:8790'}", "dashboard: {listen: '127.9.9.9:1'}", "dashboard: {listen: '127.0.0.1:0'}",
		"metrics: {listen: '[2001:db8::1]:9790'}", "metrics: {listen: '0.0.0.0:9790'}", "metrics: {listen: 'web1.example.org:9790'}",
		"lists: {allow: &a /x, deny: /y}\nstate_dir: *a",
		"mode: monitor\n...\n",
	} {
		mustParse(t, text)
	}
}

func TestRefused(t *testing.T) {
	score := "expected a whole number from 1 to 32"
	tests := []struct{ text, want string }{
		{"\n\ndetect:\n  ban_score: many", `f.yaml:4: detect.ban_score: "many": ` + score},
		{"detect: {ban_score: 0}", `f.yaml:1: detect.ban_score: "0": ` + score},
		{"detect: {ban_score: 33}", `f.yaml:1: detect.ban_score: "33": ` + score},
		{"detect: {ban_score: 010}", `f.yaml:1: detect.ban_score: "010": ` + score},
		{"detect: {ban_score: 8.0}", `f.yaml:1: detect.ban_score: "8.0": ` + score},
		{"detect: {ban_score: 99999999999999999999}", `f.yaml:1: detect.ban_score: "99999999999999999999": ` + score},
		{"detect: {ban_score: }", `f.yaml:1: detect.ban_score: no value: ` + score},
		{"detect: {ban_score: [8]}", `f.yaml:1: detect.ban_score: a list: ` + score},
		{"detect: {ban_score: {a: 1}}", `f.yaml:1: detect.ban_score: a section: ` + score},
		{"detect: {ban_score: !!int 8}", `f.yaml:1: detect.ban_score: a value with a tag: ` + score},
		{"detect: {alert_score: 10}", `f.yaml:1: detect.alert_score: "10": expected at most detect.ban_score, which is 8`},
		{"detect: {ban_score: 3}", `f.yaml:1: detect.ban_score: "3": expected at least detect.alert_score, which is 4`},
		{"detect:\n  alert_score: 9\n  ban_score: 7", `f.yaml:3: detect.ban_score: "7": expected at least detect.alert_score, which is 9`},
		{"detect: {udp_ban_score: 7}", `f.yaml:1: detect.udp_ban_score: "7": expected at least detect.udp_alert_score, which is 8`},
		{"detect: {udp_alert_score: 17}", `f.yaml:1: detect.udp_alert_score: "17": expected at most detect.udp_ban_score, which is 16`},
		{"detect: {decay: 30}", `f.yaml:1: detect.decay: "30": expected a duration from 1s to 30d in s, m, h, d or w, such as 90s or 8h`},
		{"detect: {decay: 31d}", `f.yaml:1: detect.decay: "31d": expected a duration from 1s to 30d`},
		{"detect: {ipv6_prefix: 31}", `f.yaml:1: detect.ipv6_prefix: "31": expected a whole number from 32 to 64, or 128`},
		{"detect: {ipv6_prefix: 96}", `f.yaml:1: detect.ipv6_prefix: "96": expected`},
		{"detect: {drop_crafted: yes}", `f.yaml:1: detect.drop_crafted: "yes": expected true or false`},
		{"detect: {ignore_ports: 22}", `f.yaml:1: detect.ignore_ports: "22": expected a list of up to 1024 items, each a port from 1 to 65535 or a range such as 6000-6100`},
		{"detect: {ignore_ports: [22, 0]}", `f.yaml:1: detect.ignore_ports[1]: "0": expected a port`},
		{"detect: {ignore_ports: [65536]}", `f.yaml:1: detect.ignore_ports[0]: "65536": expected a port`},
		{"detect: {ignore_ports: [20-10]}", `f.yaml:1: detect.ignore_ports[0]: "20-10": expected a port`},
		{"detect: {ignore_ports: [1-]}", `f.yaml:1: detect.ignore_ports[0]: "1-": expected a port`},
		{"detect: {ignore_ports: [22, 22]}", `f.yaml:1: detect.ignore_ports[1]: already set on line 1`},
		{"interfaces: eth0", `f.yaml:1: interfaces: "eth0": expected a list`},
		{"interfaces: [a234567890123456]", `f.yaml:1: interfaces[0]: "a234567890123456": expected an interface name of at most 15 characters`},
		{"interfaces: [eth/0]", `f.yaml:1: interfaces[0]: "eth/0": expected an interface name`},
		{"interfaces: ['eth 0']", `f.yaml:1: interfaces[0]: "eth 0": expected an interface name`},
		{"interfaces: ['']", `f.yaml:1: interfaces[0]: "": expected an interface name`},
		{"interfaces: ['..']", `f.yaml:1: interfaces[0]: "..": expected an interface name`},
		{"interfaces: ['eth0:1']", `f.yaml:1: interfaces[0]: "eth0:1": expected an interface name`},
		{"interfaces: ['eth[']", `f.yaml:1: interfaces[0]: "eth[": expected an interface name`},
		{`interfaces: ["a\0"]`, `f.yaml:1: interfaces[0]: "a\x00": expected an interface name`},
		{"interfaces: [[eth0]]", `f.yaml:1: interfaces[0]: a list: expected an interface name`},
		{"interfaces: [eth0, {name: eth0}]", `f.yaml:1: interfaces[1]: already set on line 1`},
		{"interfaces: [{name: eth0, xdp: fast}]", `f.yaml:1: interfaces[0].xdp: "fast": expected auto, native or generic`},
		{"interfaces: [{name: eth0, mode: off}]", `f.yaml:1: interfaces[0].mode: "off": expected enforce or monitor`},
		{"interfaces: [{xdp: auto}]", `f.yaml:1: interfaces[0].name: no value: expected an interface name`},
		{"interfaces: [{nam: eth0, name: eth1}]", `f.yaml:1: interfaces[0].nam: unknown key, did you mean name?`},
		{"interfaces:\n- name: eth0\n  name: eth1", `f.yaml:3: interfaces[0].name: already set on line 2`},
		{"mode: block", `f.yaml:1: mode: "block": expected enforce or monitor`},
		{"ban: {duration: 366d}", `f.yaml:1: ban.duration: "366d": expected a duration from 1s to 365d`},
		{"ban: {duration: 2d}", `f.yaml:1: ban.duration: "2d": expected at most ban.max_duration, which is 1d`},
		{"ban: {max_duration: 1m}", `f.yaml:1: ban.max_duration: "1m": expected at least ban.duration, which is 10m`},
		{"ban: {multiplier: 101}", `f.yaml:1: ban.multiplier: "101": expected a whole number from 1 to 100`},
		{"lists: {allow: allow.list}", `f.yaml:1: lists.allow: "allow.list": expected an absolute path`},
		{"lists: {deny: /}", `f.yaml:1: lists.deny: "/": expected an absolute path`},
		{"lists: {allow: /etc/denmap/deny.list}", `f.yaml:1: lists.allow: "/etc/denmap/deny.list": expected other than lists.deny`},
		{"log: {format: xml}", `f.yaml:1: log.format: "xml": expected json or text`},
		{"log: {max_size: 63KB}", `f.yaml:1: log.max_size: "63KB": expected a size from 64KB to 1TB, such as 50MB`},
		{"log: {max_size: 50000000}", `f.yaml:1: log.max_size: "50000000": expected a size`},
		{"log: {keep: -1}", `f.yaml:1: log.keep: "-1": expected a whole number from 0 to 1000`},
		{"log: {keep: 1001}", `f.yaml:1: log.keep: "1001": expected`},
		{"log: {also: [journal, email]}", `f.yaml:1: log.also[1]: "email": expected journal or syslog`},
		{"log: {also: [journal, journal]}", `f.yaml:1: log.also[1]: already set on line 1`},
		{"mail: {tls: ssl}", `f.yaml:1: mail.tls: "ssl": expected starttls, tls or none`},
		{"mail: {port: 65536}", `f.yaml:1: mail.port: "65536": expected a whole number from 0 to 65535`},
		{"mail: {host: mx.example.org}", `f.yaml:1: mail.host: "mx.example.org": expected mail.to to be set too`},
		{"mail: {to: [a@example.org]}", `f.yaml:1: mail.to: expected mail.host to be set too`},
		{"mail: {username: me}", `f.yaml:1: mail.username: "me": expected mail.password_file to be set too`},
		{"mail: {password_file: /p}", `f.yaml:1: mail.password_file: "/p": expected mail.username to be set too`},
		{"mail: {host: 'mx.example.org:25', to: [a@example.org]}", `f.yaml:1: mail.host: "mx.example.org:25": expected a host name or an address, without a port, or "" for none`},
		{"mail: {from: nobody}", `f.yaml:1: mail.from: "nobody": expected a mail address such as admin@example.org, or "" for none`},
		{"mail: {host: mx, to: [nobody]}", `f.yaml:1: mail.to[0]: "nobody": expected a mail address such as admin@example.org`},
		{`mail: {from: "a@example.org\r\nBcc: b@example.org"}`, `f.yaml:1: mail.from: "a@example.org\r\nBcc: b@example.org": expected a mail address`},
		{"mail: {username: me, password_file: run/secret}", `f.yaml:1: mail.password_file: "run/secret": expected an absolute path or the name of a systemd credential, or "" for none`},
		{"mail: {username: me, password_file: $CREDENTIALS_DIRECTORY/../x}", `f.yaml:1: mail.password_file: "$CREDENTIALS_DIRECTORY/../x": expected an absolute path or the name of a systemd credential, or "" for none`},
		{"notify: {internal: [192.0.2.1/24]}", `f.yaml:1: notify.internal[0]: "192.0.2.1/24": expected a network such as 192.0.2.0/24 or 2001:db8::/32`},
		{"notify:\n  never: [detached]\n  at_once: [attached, detached]", `f.yaml:2: notify.never: expected nothing that is in notify.at_once, such as detached`},
		{"notify: {min_severity: 10}", `f.yaml:1: notify.min_severity: "10": expected a whole number from 1 to 9`},
		{"mail: {password: secret}", `f.yaml:1: mail.password: unknown key`},
		{"mail: {digest: 1s}", `f.yaml:1: mail.digest: "1s": expected a duration from 1m to 7d`},
		{"notify: {urls: [secret-token]}", `f.yaml:1: notify.urls[0]: expected a service URL such as telegram://TOKEN@telegram?chats=ID`},
		{"dashboard: {listen: '0.0.0.0:8790'}", `f.yaml:1: dashboard.listen: "0.0.0.0:8790": expected a loopback address and port such as 127.0.0.1:8790 (from elsewhere: ssh -L 8790:127.0.0.1:8790 HOST), or "" for none`},
		{"dashboard: {listen: ':8790'}", `f.yaml:1: dashboard.listen: ":8790": expected a loopback`},
		{"dashboard: {listen: '127.0.0.1'}", `f.yaml:1: dashboard.listen: "127.0.0.1": expected a loopback`},
		{"dashboard: {listen: 'localhost:http'}", `f.yaml:1: dashboard.listen: "localhost:http": expected a loopback`},
		{"metrics: {listen: '9790'}", `f.yaml:1: metrics.listen: "9790": expected an address and port such as`},
		{"metrics: {listen: 'a b:1'}", `f.yaml:1: metrics.listen: "a b:1": expected an address`},
		{"metrics: {listen: '127.0.0.1:8790'}", `f.yaml:1: metrics.listen: "127.0.0.1:8790": expected other than dashboard.listen`},
		{"history: {keep: 59m}", `f.yaml:1: history.keep: "59m": expected a duration from 1h to 3650d`},
		{"history: {max_size: 1KB}", `f.yaml:1: history.max_size: "1KB": expected a size from 1MB to 1TB`},
		{"state_dir: var", `f.yaml:1: state_dir: "var": expected an absolute path`},
		{"geo: {databases: [a.mmdb]}", `f.yaml:1: geo.databases[0]: "a.mmdb": expected an absolute path`},

		{"detect: {ban_scor: 8}", `f.yaml:1: detect.ban_scor: unknown key, did you mean detect.ban_score?`},
		{"detekt: {ban_score: 8}", `f.yaml:1: detekt: unknown key, did you mean detect?`},
		{"ban_score: 8", `f.yaml:1: ban_score: unknown key, did you mean detect.ban_score?`},
		{"state-dir: /x", `f.yaml:1: state-dir: unknown key, did you mean state_dir?`},
		{"detect.ban_score: 8", `f.yaml:1: detect.ban_score: unknown key, did you mean`},
		{"xyzzy: 8", `f.yaml:1: xyzzy: unknown key`},
		{"? [a]\n: 8", `f.yaml:1: a list: expected the name of a key`},
		{"<<: {mode: monitor}", `f.yaml:1: <<: unknown key`},
		{"\"a\\nb\": 8", `f.yaml:1: "a\nb": unknown key`},
		{"mode: monitor\nmode: enforce", `f.yaml:2: mode: already set on line 1`},
		{"detect: {}\nban: {}\ndetect: {}", `f.yaml:3: detect: already set on line 1`},
		{"detect:\n  decay: 1m\n  ban_score: 8\n  decay: 1h", `f.yaml:4: detect.decay: already set on line 2`},
		{"detect: 8", `f.yaml:1: detect: "8": expected a section with keys such as detect.alert_score`},
		{"- eth0", `f.yaml:1: a list: expected keys such as "mode: monitor"`},
		{"hello", `f.yaml:1: "hello": expected keys such as "mode: monitor"`},
		{"mode: monitor\n---\nmode: enforce\n", `f.yaml:2: expected one YAML document, found another`},
		{"mode: monitor\nban: {duration: 1h\n", `f.yaml:2: invalid YAML: `},
		{"mode: 'x", `f.yaml:1: invalid YAML: found unexpected end of stream`},
		{"ban:\n  duration: 1h\n multiplier: 2\nmode: x", `f.yaml:3: invalid YAML: did not find expected key`},
		{"mode: monitor\n\nban: {}\nlog: *nowhere\n", `f.yaml:4: invalid YAML: unknown anchor 'nowhere' referenced`},
		{"\xff\xfe\x00", `f.yaml:1: invalid YAML: `},
	}
	for _, tt := range tests {
		c, err := parseText(tt.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want an *Error", tt.text, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), tt.want) || len(e.Problems) != 1 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
		if !reflect.DeepEqual(c, Config{}) {
			t.Errorf("%q: a refused file gave a configuration", tt.text)
		}
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	_, err := parseText("notify: {urls: [\"se cret\", \"%zz://secret\"]}")
	if err == nil || strings.Contains(err.Error(), "cret\"") || strings.Contains(err.Error(), "zz") {
		t.Errorf("got %v, want an error without the value", err)
	}
}

func TestSyntaxErrorKeepsItsLine(t *testing.T) {
	_, err := parseText("mode: monitor\ndetect:\n  decay: 1h\n\tban_score: 8\n")
	if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:4: invalid YAML: found ") {
		t.Errorf("got %v", err)
	}
}

func TestAllProblemsSortedByLine(t *testing.T) {
	_, err := parseText(`detect:
  alert_score: 10
  decay: x
mail:
  host: mx.example.org
nonsense: 1
mode: x
`)
	want := []string{
		`f.yaml:2: detect.alert_score: "10": expected at most detect.ban_score, which is 8`,
		`f.yaml:3: detect.decay: "x": expected a duration from 1s to 30d in s, m, h, d or w, such as 90s or 8h`,
		`f.yaml:5: mail.host: "mx.example.org": expected mail.to to be set too`,
		`f.yaml:6: nonsense: unknown key`,
		`f.yaml:7: mode: "x": expected enforce or monitor`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestProblemsAreBounded(t *testing.T) {
	_, err := parseText(strings.Repeat("? [a]\n: 8\n", 300))
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != maxProblems || e.Omitted != 100 {
		t.Fatalf("got %.200v", err)
	}
	if !strings.HasSuffix(err.Error(), "\nand 100 more problems") {
		t.Error("the omitted problems are not mentioned")
	}
}

func TestMerge(t *testing.T) {
	c, err := Parse([]Source{
		{"a", []byte("interfaces: [eth0, eth1]\ndetect: {ban_score: 12, decay: 1h}\n")},
		{"b", []byte("interfaces: [wan0]\ndetect: {ban_score: 16}\n")},
		{"c", []byte("detect:\n")},
	})
	want := Default()
	want.Interfaces = []Interface{{"wan0", XDPAuto, ""}}
	want.Detect.BanScore = 16
	want.Detect.Decay = time.Hour
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestMergeNamesTheFile(t *testing.T) {
	_, err := Parse([]Source{
		{"a", []byte("\n\ndetect: {alert_score: 10, ban_score: 12}\nmode: x\n")},
		{"b", []byte("\ndetect: {ban_score: 6, decay: x}\n")},
	})
	want := "a:4: mode: \"x\": expected enforce or monitor\n" +
		"b:2: detect.decay: \"x\": expected a duration from 1s to 30d in s, m, h, d or w, such as 90s or 8h\n" +
		"b:2: detect.ban_score: \"6\": expected at least detect.alert_score, which is 10"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// A billion laughs must cost as little as the bytes it is written in.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		ref := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(ref+", ", 10), ", "))
	}
	b.WriteString("interfaces: *a29\nmail: {to: *a29}\ndetect: &d {ignore_ports: *a29, decay: *d}\n")
	start := time.Now()
	if _, err := parseText(b.String()); err == nil {
		t.Error("accepted")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}
