// SPDX-License-Identifier: MIT

package config

import (
	"cmp"
	"fmt"
	"slices"

	"denmap/userspace/event"
)

// relation is a rule between two keys. check returns the key to complain
// about and what was expected of it, or "" if all is well; set tells
// whether a file holds a key, since a default is never the one at fault.
type relation struct {
	key, other string
	keyWant    string // for the reference
	otherWant  string
	check      func(c *Config, set func(path string) bool) (path, want string)
}

func relations() []relation {
	return []relation{
		ordered("detect.alert_score", "detect.ban_score", func(c *Config) (int, int) { return c.Detect.AlertScore, c.Detect.BanScore }),
		ordered("detect.udp_alert_score", "detect.udp_ban_score", func(c *Config) (int, int) { return c.Detect.UDPAlertScore, c.Detect.UDPBanScore }),
		ordered("ban.duration", "ban.max_duration", func(c *Config) (int64, int64) { return int64(c.Ban.Duration), int64(c.Ban.MaxDuration) }),
		apart("lists.allow", "lists.deny", func(c *Config) (string, string) { return c.Lists.Allow, c.Lists.Deny }),
		apart("dashboard.listen", "metrics.listen", func(c *Config) (string, string) { return c.Dashboard.Listen, c.Metrics.Listen }),
		together("mail.host", "mail.to", func(c *Config) (bool, bool) { return c.Mail.Host != "", len(c.Mail.To) > 0 }),
		disjoint("notify.at_once", "notify.in_digest", func(c *Config) (a, b []event.Action) { return c.Notify.AtOnce, c.Notify.InDigest }),
		disjoint("notify.at_once", "notify.never", func(c *Config) (a, b []event.Action) { return c.Notify.AtOnce, c.Notify.Never }),
		disjoint("notify.in_digest", "notify.never", func(c *Config) (a, b []event.Action) { return c.Notify.InDigest, c.Notify.Never }),
		together("mail.username", "mail.password_file", func(c *Config) (bool, bool) { return c.Mail.Username != "", c.Mail.PasswordFile != "" }),
	}
}

// ordered asks that low is not above high.
func ordered[T cmp.Ordered](low, high string, values func(*Config) (T, T)) relation {
	return relation{
		key: high, other: low,
		keyWant: "at least " + low, otherWant: "at most " + high,
		check: func(c *Config, set func(string) bool) (string, string) {
			if l, h := values(c); l <= h {
				return "", ""
			}
			if set(high) {
				return high, fmt.Sprintf("at least %s, which is %s", low, show(c, low))
			}
			return low, fmt.Sprintf("at most %s, which is %s", high, show(c, high))
		},
	}
}

// apart asks that two values differ unless both are empty.
func apart(key, other string, values func(*Config) (string, string)) relation {
	r := relation{key: key, other: other, keyWant: "other than " + other, otherWant: "other than " + key}
	r.check = func(c *Config, set func(string) bool) (string, string) {
		a, b := values(c)
		switch {
		case a != b || a == "":
			return "", ""
		case set(other):
			return other, r.otherWant
		}
		return key, r.keyWant
	}
	return r
}

// together asks that both are given or neither is. Both are empty by
// default, so the one that is given stands in a file.
func together(key, other string, given func(*Config) (bool, bool)) relation {
	r := relation{key: key, other: other, keyWant: "together with " + other, otherWant: "together with " + key}
	r.check = func(c *Config, _ func(string) bool) (string, string) {
		a, b := given(c)
		switch {
		case a && !b:
			return key, other + " to be set too"
		case b && !a:
			return other, key + " to be set too"
		}
		return "", ""
	}
	return r
}

// disjoint asks that no item is in both lists, which are empty by default.
func disjoint[T comparable](key, other string, lists func(*Config) (a, b []T)) relation {
	return relation{
		key: key, other: other, keyWant: "nothing that is in " + other, otherWant: "nothing that is in " + key,
		check: func(c *Config, _ func(string) bool) (string, string) {
			a, b := lists(c)
			for _, item := range b {
				if slices.Contains(a, item) {
					return other, fmt.Sprintf("nothing that is in %s, such as %v", key, item)
				}
			}
			return "", ""
		},
	}
}

// show writes the value of a key as a file would.
func show(c *Config, path string) string {
	for _, k := range table() {
		if k.path == path {
			return inline(k.rule.write(c))
		}
	}
	return ""
}
