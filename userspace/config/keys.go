// SPDX-License-Identifier: MIT

package config

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/units"
)

// key is one line of the table: the single place that knows a key's name,
// rule and description.
type key struct {
	path string
	rule rule
	doc  string
}

// maxScore is how many distinct probes of a source the kernel program
// remembers: no score above it can be told from one at it.
const maxScore = 32

// table returns every key in the order of the file. Keys of one section
// stand together.
func table() []key {
	return []key{
		{"interfaces", many[Interface]{interfaces{}, 256, func(c *Config) *[]Interface { return &c.Interfaces }},
			"Interfaces to protect: names or patterns, each with its own XDP hook and mode where wanted. Arguments of attach replace the list. Patterns never match lo."},
		{"mode", one[Mode]{choice(Enforce, Monitor), func(c *Config) *Mode { return &c.Mode }},
			"enforce bans scanners; monitor only reports them, and drops only what the deny list and manual bans name."},

		{"detect.alert_score", one[int]{whole(1, maxScore), func(c *Config) *int { return &c.Detect.AlertScore }},
			"Score at which a scan is reported."},
		{"detect.ban_score", one[int]{whole(1, maxScore), func(c *Config) *int { return &c.Detect.BanScore }},
			"Score at which its source is banned."},
		{"detect.udp_alert_score", one[int]{whole(1, maxScore), func(c *Config) *int { return &c.Detect.UDPAlertScore }},
			"Score at which a UDP scan is reported."},
		{"detect.udp_ban_score", one[int]{whole(1, maxScore), func(c *Config) *int { return &c.Detect.UDPBanScore }},
			"Score at which its source is banned."},
		{"detect.decay", one[time.Duration]{duration(time.Second, 30*units.Day), func(c *Config) *time.Duration { return &c.Detect.Decay }},
			"Time in which a score loses one point."},
		{"detect.ipv6_prefix", one[int]{whole(32, 64, 128), func(c *Config) *int { return &c.Detect.IPv6Prefix }},
			"Bits of an IPv6 address that are scored as one source."},
		{"detect.drop_crafted", one[bool]{boolean(), func(c *Config) *bool { return &c.Detect.DropCrafted }},
			"Drop packets that no network stack sends, and those with the exact signature of a scanner, from the first one on."},
		{"detect.ignore_ports", many[PortRange]{ports(), 1024, func(c *Config) *[]PortRange { return &c.Detect.IgnorePorts }},
			"Destination ports that are never scored."},

		{"ban.duration", one[time.Duration]{duration(time.Second, 365*units.Day), func(c *Config) *time.Duration { return &c.Ban.Duration }},
			"How long a source stays banned."},
		{"ban.multiplier", one[int]{whole(1, 100), func(c *Config) *int { return &c.Ban.Multiplier }},
			"How many times longer each further ban of a proven source lasts."},
		{"ban.max_duration", one[time.Duration]{duration(time.Second, 365*units.Day), func(c *Config) *time.Duration { return &c.Ban.MaxDuration }},
			"The longest ban of a proven source."},

		{"lists.allow", one[string]{absolutePath(), func(c *Config) *string { return &c.Lists.Allow }},
			"File of addresses that are never banned."},
		{"lists.deny", one[string]{absolutePath(), func(c *Config) *string { return &c.Lists.Deny }},
			"File of addresses that are always dropped."},

		{"log.path", one[string]{absolutePath(), func(c *Config) *string { return &c.Log.Path }},
			"File of the event log."},
		{"log.format", one[Format]{choice(JSON, Text), func(c *Config) *Format { return &c.Log.Format }},
			"json writes Elastic Common Schema, one object a line; text writes lines for people."},
		{"log.max_size", one[int64]{size(64e3, 1e12), func(c *Config) *int64 { return &c.Log.MaxSize }},
			"Size at which the log is rotated."},
		{"log.keep", one[int]{whole(0, 1000), func(c *Config) *int { return &c.Log.Keep }},
			"Rotated logs that are kept."},
		{"log.compress", one[bool]{boolean(), func(c *Config) *bool { return &c.Log.Compress }},
			"Compress rotated logs."},
		{"log.also", many[Destination]{choice(Journal, Syslog), 2, func(c *Config) *[]Destination { return &c.Log.Also }},
			"Further places that receive every line."},

		{"geo.databases", many[string]{absolutePath(), 16, func(c *Config) *[]string { return &c.Geo.Databases }},
			"MMDB files for country, city and network, looked up in this order."},
		{"geo.ipstack_key_file", one[string]{optional(absolutePath()), func(c *Config) *string { return &c.Geo.IPStackKeyFile }},
			"File with the access key of ipstack, the online service that is asked when no database answers."},

		{"mail.host", one[string]{optional(hostName()), func(c *Config) *string { return &c.Mail.Host }},
			"Mail server."},
		{"mail.port", one[int]{whole(0, 65535), func(c *Config) *int { return &c.Mail.Port }},
			"Port of the mail server; 0 takes 587, 465 or 25, by mail.tls."},
		{"mail.tls", one[TLSMode]{choice(StartTLS, TLS, NoTLS), func(c *Config) *TLSMode { return &c.Mail.TLS }},
			"How the connection to the mail server is encrypted."},
		{"mail.username", one[string]{optional(anyText()), func(c *Config) *string { return &c.Mail.Username }},
			"User name at the mail server."},
		{"mail.password_file", one[string]{optional(secretFile()), func(c *Config) *string { return &c.Mail.PasswordFile }},
			"File with the password and nothing else, mode 0600; a name without a slash is a credential that systemd passed."},
		{"mail.from", one[string]{optional(mailAddress()), func(c *Config) *string { return &c.Mail.From }},
			"Sender; where empty, denmap at this host."},
		{"mail.to", many[string]{mailAddress(), 32, func(c *Config) *[]string { return &c.Mail.To }},
			"Recipients."},
		{"mail.digest", one[time.Duration]{duration(time.Minute, 7*units.Day), func(c *Config) *time.Duration { return &c.Mail.Digest }},
			"What happens within this time after a mail is told together in the next."},
		{"mail.max_per_day", one[int]{whole(1, 10000), func(c *Config) *int { return &c.Mail.MaxPerDay }},
			"The most mails in a day."},

		{"notify.urls", many[string]{chatURL(), 16, func(c *Config) *[]string { return &c.Notify.URLs }},
			"Chat services and webhooks that are told too. The URLs are secrets: keep this file readable for root alone when there are any."},
		{"notify.min_severity", one[int]{whole(1, 9), func(c *Config) *int { return &c.Notify.MinSeverity }},
			"Events below this severity are not told: 3 alerts, 5 bans, 7 bans of proven addresses and lost events, 9 protected or internal sources and lost protection."},
		{"notify.watched", one[bool]{boolean(), func(c *Config) *bool { return &c.Notify.Watched }},
			"Tell of sources that the allow list has with watch, too."},
		{"notify.internal", many[netip.Prefix]{network(), 64, func(c *Config) *[]netip.Prefix { return &c.Notify.Internal }},
			"Networks whose scans are told at once, besides private addresses and the networks that this host is connected to."},
		{"notify.at_once", many[event.Action]{actions(), 8, func(c *Config) *[]event.Action { return &c.Notify.AtOnce }},
			"Events that are always told at once."},
		{"notify.in_digest", many[event.Action]{actions(), 8, func(c *Config) *[]event.Action { return &c.Notify.InDigest }},
			"Events that always wait for the digest."},
		{"notify.never", many[event.Action]{actions(), 8, func(c *Config) *[]event.Action { return &c.Notify.Never }},
			"Events that are never told."},
		{"notify.allow_plaintext", one[bool]{boolean(), func(c *Config) *bool { return &c.Notify.AllowPlaintext }},
			"Allow mail.tls none and webhook+http:// beyond this host: everybody on the way can read and change what is sent."},

		{"dashboard.listen", one[string]{optional(loopback()), func(c *Config) *string { return &c.Dashboard.Listen }},
			"Address of the web page."},

		{"metrics.listen", one[string]{optional(listenAddress()), func(c *Config) *string { return &c.Metrics.Listen }},
			"Address of the Prometheus metrics."},

		{"history.keep", one[time.Duration]{duration(time.Hour, 3650*units.Day), func(c *Config) *time.Duration { return &c.History.Keep }},
			"How long events stay in the history."},
		{"history.max_size", one[int64]{size(1e6, 1e12), func(c *Config) *int64 { return &c.History.MaxSize }},
			"The most disk space the history takes; the oldest events go first."},

		{"limits.sources", one[int]{whole(1024, 1<<20), func(c *Config) *int { return &c.Limits.Sources }},
			"Scored sources that the kernel remembers; 0.3 KB each. A change takes effect when protection is set up anew: after denmap detach, or a reboot."},
		{"limits.bans", one[int]{whole(1024, 1<<20), func(c *Config) *int { return &c.Limits.Bans }},
			"Manual bans and those whose address was proven, which never give way; 0.1 KB each that is in use. Takes effect as limits.sources does."},
		{"limits.blind_bans", one[int]{whole(1024, 1<<20), func(c *Config) *int { return &c.Limits.BlindBans }},
			"Bans on evidence that could be forged; the one longest out of use gives way. 0.1 KB each. Takes effect as limits.sources does."},

		{"state_dir", one[string]{absolutePath(), func(c *Config) *string { return &c.StateDir }},
			"Directory of the history and of what outlives a reboot."},

		{"dead_man", one[time.Duration]{orNever(duration(10*time.Second, 30*units.Day)), func(c *Config) *time.Duration { return &c.DeadMan }},
			"Let every packet pass when the daemon has been silent for this long: a daemon that is killed or hangs then never locks anybody out, but protects nobody either."},
	}
}
