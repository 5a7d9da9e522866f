// SPDX-License-Identifier: MIT

package main

import (
	"net/mail"
	"net/netip"
	"slices"

	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/event"
	"denmap/userspace/notify"
)

// notify returns nil if nobody is to be told.
func (w *wiring) notify(cfg config.Config) (daemon.Notifier, error) {
	o := notifyOptions(cfg, w.meta.Hostname)
	if !o.Enabled() {
		return nil, nil
	}
	o.Version, o.Report = w.meta.Version, w.report
	n, err := notify.New(o)
	if err != nil {
		return nil, err
	}
	return notifier{n, o.Rules.Internal}, nil
}

// notifier is a notify.Notifier as the daemon sees it.
type notifier struct {
	*notify.Notifier
	internal []netip.Prefix // of the configuration
}

func (n notifier) Notice(what daemon.Notice) {
	n.Notifier.Notice(notify.Notice{Class: notify.Class(what.Class), Key: what.Key, Text: what.Text})
}

func (n notifier) SetInternal(onLink []netip.Prefix) {
	n.Notifier.SetInternal(slices.Concat(n.internal, onLink))
}

// notifyOptions turns the configuration into that of package notify, for
// the host of that name.
func notifyOptions(cfg config.Config, hostname string) notify.Options {
	m := cfg.Mail
	o := notify.Options{
		Host: m.Host, Port: m.ServerPort(), Username: m.Username, PasswordFile: m.PasswordFile,
		From: m.From, To: m.To, Digest: m.Digest, MaxPerDay: m.MaxPerDay,
		URLs: cfg.Notify.URLs, StateDir: cfg.StateDir, Hostname: hostname,
		AllowPlaintext: cfg.Notify.AllowPlaintext, Rules: notifyRules(cfg.Notify),
	}
	if o.From == "" {
		o.From = defaultSender(hostname)
	}
	switch m.TLS {
	case config.TLS:
		o.TLS = notify.TLSImplicit
	case config.NoTLS:
		o.TLS = notify.TLSNone
	default:
		o.TLS = notify.TLSStartTLS
	}
	return o
}

func notifyRules(n config.Notify) notify.Rules {
	rules := notify.Rules{MinSeverity: n.MinSeverity, Watched: n.Watched, Internal: n.Internal}
	for _, choice := range []struct {
		actions []event.Action
		when    notify.When
	}{{n.AtOnce, notify.Now}, {n.InDigest, notify.InDigest}, {n.Never, notify.Never}} {
		for _, action := range choice.actions {
			if rules.Actions == nil {
				rules.Actions = make(map[event.Action]notify.When)
			}
			rules.Actions[action] = choice.when
		}
	}
	return rules
}

// defaultSender is denmap at this host, if the host's name can be in an
// address.
func defaultSender(hostname string) string {
	sender := "denmap@" + hostname
	if a, err := mail.ParseAddress(sender); err != nil || a.Address != sender {
		return "denmap@localhost"
	}
	return sender
}
