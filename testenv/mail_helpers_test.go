// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// mailConfig tells the victim of the server; more are lines of the mail
// section.
func mailConfig(more ...string) string {
	text := "mail:\n"
	for _, line := range append([]string{
		"host: " + MailName, "from: denmap@example.org", "to: [admin@example.org]",
		"username: " + MailUser, "password_file: /etc/denmap/mail.password",
	}, more...) {
		text += "  " + line + "\n"
	}
	return text + "geo: {databases: [" + MMDBPath + "]}\n"
}

// mailLab is a victim, scanners, and a mail server with TLS and accounts
// that the victim knows and trusts.
func mailLab(t *testing.T) (lab *Lab, victim *Host, server *MailServer) {
	t.Helper()
	lab = New(t, Options{Hosts: []string{"victim", "attacker", "client", "mail"}})
	victim = lab.Host("victim")
	authority := NewAuthority(t)
	authority.TrustedBy(victim)
	server = lab.Host("mail").NewMailServer(authority)
	server.KnownTo(victim)
	victim.WriteSecret("/etc/denmap/mail.password", MailPassword+"\n")
	victim.WriteMMDB(Net4)
	victim.Configure(mailConfig())
	return lab, victim, server
}

// notifyStatus is what status --json says of mail.
type notifyStatus struct {
	Queued         int    `json:"queued"`
	SentToday      int    `json:"sent_today"`
	PendingSources int    `json:"pending_sources"`
	Volatile       int    `json:"not_on_disk"`
	LastError      string `json:"last_error"`
	Refused        []struct {
		Recipient string `json:"recipient"`
	} `json:"refused"`
	Targets []struct {
		Sending  bool `json:"sending"`
		Failures int  `json:"failures"`
	} `json:"targets"`
}

func mailStatus(t *testing.T, victim *Host) notifyStatus {
	t.Helper()
	var doc struct {
		Notify *notifyStatus `json:"notify"`
	}
	if err := json.Unmarshal([]byte(victim.MustDenmap("status", "--json").Stdout), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Notify == nil {
		t.Fatal("status says nothing about mail")
	}
	return *doc.Notify
}

// waitMailStatus polls status until it is as wanted.
func waitMailStatus(t *testing.T, victim *Host, limit time.Duration, what string, met func(notifyStatus) bool) notifyStatus {
	t.Helper()
	var s notifyStatus
	victim.Eventually(limit, func() error {
		if s = mailStatus(t, victim); !met(s) {
			return fmt.Errorf("no %s: %+v", what, s)
		}
		return nil
	})
	return s
}

// contains wants every text in a whole.
func contains(t *testing.T, what, whole string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(whole, text) {
			t.Errorf("%s: no %q in:\n%s", what, text, whole)
		}
	}
}

// fakeFor gives a fake server a certificate that the victim trusts.
func fakeFor(t *testing.T, lab *Lab, fake *FakeMail) *FakeMail {
	authority := NewAuthority(t)
	authority.TrustedBy(lab.Host("victim"))
	fake.TLS = authority.TLS(MailName)
	return fake
}

func linesWith(text, part string) (n int) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// waitLines waits until the daemon has said n lines with a text.
func (d *Daemon) waitLines(text string, n int) {
	d.host.t.Helper()
	d.host.Eventually(5*time.Second, func() error {
		if got := linesWith(d.Stderr(), text); got < n {
			return fmt.Errorf("%d lines with %q, want %d", got, text, n)
		}
		return nil
	})
}
