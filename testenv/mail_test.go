// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMailOfScan scans with the real nmap and reads the mail that comes
// of it: one, with everything in it.
func TestMailOfScan(t *testing.T) {
	t.Parallel()
	lab, victim, server := mailLab(t)
	attacker := lab.Host("attacker")
	server.Start()
	victim.Attach()
	attacker.MustTool("nmap", "-n", "-sS", "-T4", victim.IPv4.String())
	ban := victim.WaitBan(attacker.IPv4)

	m := server.WaitMails(30*time.Second, 1)[0]
	contains(t, "subject", m.Subject, "[DenMap] victim: SYN scan by "+attacker.IPv4.String()+" (DE), banned")
	for what, part := range map[string]string{"text": m.Text, "html": m.HTML} {
		contains(t, what, part, attacker.IPv4.String(), "Hannover, Germany (DE); AS64500 Example Net", "SYN", "nmap",
			victim.IPv4.String(), "banned until "+ban.Denmap.Ban.Until.Local().Format("2006-01-02 15:04"), ban.Time.Local().Format("2006-01-02 15:04"), uplink)
		for _, port := range ban.Denmap.Ports.Sample {
			contains(t, what, part, fmt.Sprint(port))
		}
	}
	if got := m.Header.Get("To"); !strings.Contains(got, "admin@example.org") {
		t.Errorf("To: %q", got)
	}
	// Nothing more is to come: nothing waits, and the scanner is told of.
	s := waitMailStatus(t, victim, 10*time.Second, "empty queue", func(s notifyStatus) bool { return s.Queued == 0 })
	if mails := server.Mails(); len(mails) != 1 || s.SentToday != 1 {
		t.Errorf("%d mails, %d sent today, want one", len(mails), s.SentToday)
	}
	t.Logf("the mail:\nSubject: %s\n\n%s", m.Subject, m.Text)
	t.Logf("status:\n%s", victim.MustDenmap("status").Stdout)
}

// TestMailServerDown scans while nothing listens at the server. The mail
// waits, survives a restart of the daemon and arrives in the end.
func TestMailServerDown(t *testing.T) {
	t.Parallel()
	lab, victim, server := mailLab(t)
	attacker := lab.Host("attacker")
	daemon := victim.Attach()
	ban(victim, attacker)
	s := waitMailStatus(t, victim, 20*time.Second, "failure", func(s notifyStatus) bool { return s.Queued == 1 && s.LastError != "" })
	contains(t, "error", s.LastError, "nothing listens at "+MailName+":587 (connection refused)")
	contains(t, "status", victim.MustDenmap("status").Stdout, "notify: 1 message waits, 1 of 24 today", "mail: 1 message waits since", "connection refused")
	daemon.Stop()

	server.Start()
	victim.Attach()
	m := server.WaitMails(90*time.Second, 1)[0]
	contains(t, "text", m.Text, attacker.IPv4.String(), "Hannover", "banned until")
	waitMailStatus(t, victim, 10*time.Second, "empty queue", func(s notifyStatus) bool { return s.Queued == 0 && s.LastError == "" })
	if mails := server.Mails(); len(mails) != 1 {
		t.Errorf("%d mails, want one", len(mails))
	}
}

// TestMailServerTrouble has servers that misbehave. Events and bans go on
// at once, and status says what is wrong.
func TestMailServerTrouble(t *testing.T) {
	tests := []struct {
		name   string
		fake   *FakeMail
		status []string // what status says, sooner or later
		mails  int      // that get through all the same
	}{
		{"hangs", &FakeMail{Hang: true}, []string{"notify: 1 message waits", "mail: 1 message waits since", "sending now"}, 0},
		{"rejects a recipient", &FakeMail{Refuse: "admin@"}, []string{"notify: nothing waits", "refused recipient admin@example.org: 550 5.1.1 nobody of that name"}, 1},
		{"rejects all recipients", &FakeMail{Refuse: "@example.org"}, []string{"notify: nothing waits", "refused recipient second@example.org: 550", "1 message given up"}, 0},
		{"drops TLS", &FakeMail{NoTLS: true}, []string{"notify: 1 message waits", "does not offer STARTTLS, and nothing is sent unencrypted"}, 0},
		{"cuts TLS off", &FakeMail{CutTLS: true}, []string{"notify: 1 message waits", "closed the connection (during: start tls)"}, 0},
		{"answers slowly", &FakeMail{Slow: 3 * time.Second}, []string{"mail: 1 message waits since", "sending now"}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lab, victim, server := mailLab(t)
			server.host.ServeMail(587, fakeFor(t, lab, test.fake))
			victim.Configure(strings.NewReplacer("  username: "+MailUser+"\n", "", "  password_file: /etc/denmap/mail.password\n", "",
				"to: [admin@example.org]", "to: [admin@example.org, second@example.org]").Replace(mailConfig()))
			victim.Attach()
			ban(victim, lab.Host("attacker"))
			seen := make(map[string]bool)
			victim.Eventually(30*time.Second, func() error {
				out := victim.MustDenmap("status").Stdout
				for _, text := range test.status {
					seen[text] = seen[text] || strings.Contains(out, text)
				}
				for _, text := range test.status {
					if !seen[text] {
						return fmt.Errorf("no %q in status:\n%s", text, out)
					}
				}
				return nil
			})
			// With the delivery in trouble: the next scanner, at once.
			began := time.Now()
			ban(victim, lab.Host("client"))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the second scan and its ban took %v", took)
			}
			if test.mails > 0 {
				victim.Eventually(60*time.Second, func() error {
					if got := len(test.fake.Taken()); got < test.mails {
						return errNotYet("mail")
					}
					return nil
				})
			}
		})
	}
}

// TestMailTest sends the test message, and has each failure explained.
func TestMailTest(t *testing.T) {
	t.Parallel()
	_, victim, server := mailLab(t)
	server.Start()
	r := victim.MustDenmap("mail", "test")
	contains(t, "mail test", r.Stdout, "mail: "+MailName+" port 587 accepted a test message to admin@example.org")
	m := server.WaitMails(10*time.Second, 1)[0]
	contains(t, "subject", m.Subject, "[DenMap] victim: test message")
	victim.Configure(mailConfig("tls: tls"))
	contains(t, "implicit tls", victim.MustDenmap("mail", "test").Stdout, "port 465 accepted a test message")
	server.WaitMails(10*time.Second, 2)

	fail := func(what, config string, texts ...string) {
		t.Helper()
		victim.Configure(config)
		r := victim.Denmap("mail", "test")
		if r.Code != 1 {
			t.Errorf("%s: %v", what, r)
		}
		contains(t, what, r.Stdout+r.Stderr, texts...)
		if strings.Contains(r.Stdout+r.Stderr, MailPassword) {
			t.Errorf("%s shows the password: %v", what, r)
		}
		t.Logf("%s: %s", what, r.Stdout+r.Stderr)
	}
	fail("wrong name", strings.Replace(mailConfig(), "host: "+MailName, "host: "+server.host.IPv4.String(), 1), "the certificate of", "is for another name")
	fail("no listener", mailConfig("port: 2525"), "nothing listens at", "connection refused")
	fail("unknown recipient", strings.Replace(mailConfig(), "admin@", "stranger@", 1), "refused the recipient stranger@example.org")
	fail("foreign recipient", strings.Replace(mailConfig(), "admin@example.org", "admin@example.net", 1), "refused the recipient admin@example.net", "relays")
	fail("foreign sender", strings.Replace(mailConfig(), "from: denmap@", "from: somebody@", 1), "refused the sender somebody@example.org (553")
	fail("tls on the wrong port", mailConfig("tls: tls", "port: 587"), "does not speak tls on this port")
	fail("unencrypted", mailConfig("tls: none"), "mail without tls", "only loopback addresses")
	fail("no name server", strings.Replace(mailConfig(), MailName, "mx.example.net", 1), "mx.example.net", "DNS")
	victim.WriteSecret("/etc/denmap/mail.password", "wrong\n")
	fail("wrong password", mailConfig(), "refused the username or password (535")
	victim.WriteFile("/etc/denmap/mail.password2", "anything")
	fail("open password file", strings.Replace(mailConfig(), "mail.password", "mail.password2", 1), "lets others use it, want 0600")
	NewAuthority(t).TrustedBy(victim)
	fail("unknown authority", mailConfig(), "signed by an authority that this host does not know")
}

// TestWhere follows one address of a database into every output.
func TestWhere(t *testing.T) {
	t.Parallel()
	lab, victim, _ := mailLab(t)
	attacker := lab.Host("attacker")
	daemon := victim.Attach()
	line := ban(victim, attacker)
	contains(t, "JSON log", line.Raw, `"country_iso_code":"DE"`, `"country_name":"Germany"`, `"city_name":"Hannover"`,
		`"as":{"number":64500,"organization":{"name":"Example Net"}}`)
	out := victim.MustDenmap("log", "--action", "source-banned").Stdout
	contains(t, "denmap log", out, attacker.IPv4.String()+" (Germany)", "(Hannover, AS64500 Example Net)")
	t.Logf("denmap log: %s", out)
	out = victim.MustDenmap("geo", attacker.IPv4.String(), "192.0.2.1").Stdout
	contains(t, "denmap geo", out, attacker.IPv4.String()+": Hannover, Germany (DE), AS64500 Example Net, at 52.3700 9.7300", "test.mmdb of ", "192.0.2.1: documentation address")
	t.Logf("denmap geo:\n%s", out)
	daemon.Stop()

	victim.Configure(mailConfig() + "log: {path: /var/log/denmap/text.log, format: text}\n")
	victim.MustDenmap("unban", "--all")
	victim.Attach()
	lab.Host("client").MustTool("nmap", "-n", "-Pn", "-sS", "-T5", "--max-retries", "0", "-p", "1000-1020", victim.IPv4.String())
	victim.Eventually(5*time.Second, func() error {
		if !strings.Contains(victim.ReadFile("/var/log/denmap/text.log"), "source-banned") {
			return errNotYet("ban in the text log")
		}
		return nil
	})
	text := victim.ReadFile("/var/log/denmap/text.log")
	contains(t, "text log", text, " country=DE country_name=Germany city=Hannover ", ` asn=64500 as="Example Net" `)
	contains(t, "denmap log of a text log", victim.MustDenmap("log", "--action", "source-banned").Stdout, "(Germany)", "(Hannover, AS64500 Example Net)")
	t.Logf("text log:\n%s", text)
}

// TestBadDestinations starts and reloads with what cannot work: a clear
// line each, and protection all the same.
func TestBadDestinations(t *testing.T) {
	t.Parallel()
	lab, victim, _ := mailLab(t)
	victim.WriteFile("/etc/denmap/corrupt.mmdb", strings.Repeat("this is no database ", 5000))
	victim.WriteFile("/etc/denmap/key", "this is not a key\n")
	bad := "geo: {databases: [/etc/denmap/corrupt.mmdb, /etc/denmap/none.mmdb], ipstack_key_file: /etc/denmap/key}\n"
	victim.Configure(bad + "notify: {urls: ['nosuchservice://x']}\n")
	daemon := victim.Attach()
	said := []string{
		`open database "/etc/denmap/corrupt.mmdb": not an intact MMDB file`,
		`open database "/etc/denmap/none.mmdb": no such file or directory`,
		`read ipstack key file "/etc/denmap/key": want one line with letters and digits only`,
		"nosuchservice",
	}
	for _, text := range said {
		if n := linesWith(daemon.Stderr(), text); n != 1 {
			t.Errorf("%d lines with %q at the start:\n%s", n, text, daemon.Stderr())
		}
	}
	ban(victim, lab.Host("attacker"))
	daemon.Signal(syscall.SIGHUP)
	for _, text := range said[:3] {
		daemon.waitLines(text, 2)
	}

	// A mail section without recipients is refused, and the old
	// configuration stays.
	victim.Configure("mail: {host: " + MailName + "}\ndetect: {ban_score: 4}\n")
	daemon.Signal(syscall.SIGHUP)
	daemon.WaitStderr(5*time.Second, ConfigPath+`:1: mail.host: "`+MailName+`": expected mail.to to be set too; the old configuration stays in force`)
	if line := ban(victim, lab.Host("client")); line.Denmap.Score < 8 {
		t.Errorf("banned at score %d: the refused configuration is in force", line.Denmap.Score)
	}
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r := victim.Denmap("attach", uplink)
	if r.Code != 1 || linesWith(r.Stderr, "mail.to to be set too") != 1 {
		t.Errorf("start with a mail section without recipients: %v", r)
	}
	t.Logf("start: %s", r.Stderr)
	t.Logf("daemon:\n%s", daemon.Stderr())
}
