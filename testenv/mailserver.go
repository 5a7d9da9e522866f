// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What a MailServer is called, and the account that it knows.
const (
	MailName     = "mail.example.org"
	MailUser     = "denmap"
	MailPassword = "lab secret"
)

// mailDir is where the server puts mail for anybody at example.org.
const mailDir = "/var/mail/lab"

// mailOwner is the user nobody, whom the mail belongs to.
const mailOwner = 65534

const postfixMain = `compatibility_level = 3.6
myhostname = %[1]s
mydestination =
inet_interfaces = all
maillog_file = /var/log/postfix.log
smtpd_peername_lookup = no
virtual_mailbox_domains = example.org
virtual_mailbox_base = /var/mail/lab
virtual_mailbox_maps = inline:{admin@example.org=box/, second@example.org=box/}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_cert_file = /etc/lab/mail.crt
smtpd_tls_key_file = /etc/lab/mail.key
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = $myhostname
smtpd_sender_login_maps = inline:{denmap@example.org=denmap@%[1]s}
smtpd_delay_reject = no
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
`

const postfixMaster = `587 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

const postfixAccounts = `pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /etc/lab/accounts
mech_list: PLAIN LOGIN
`

// MailServer is a Postfix on a host of the lab: ports 587 (STARTTLS) and
// 465 (TLS), both with authentication. It takes mail from
// denmap@example.org to admin and second at example.org, and no other.
type MailServer struct {
	host    *Host
	running bool
}

// NewMailServer sets a server up on the host, without starting it. Its
// certificate is of the authority.
func (h *Host) NewMailServer(a *Authority) *MailServer {
	h.t.Helper()
	cert, key := a.Issue(MailName)
	h.WriteFile("/etc/lab/mail.crt", string(cert))
	h.WriteSecret("/etc/lab/mail.key", string(key))
	h.WriteFile("/etc/postfix/main.cf", fmt.Sprintf(postfixMain, MailName))
	h.WriteFile("/etc/postfix/master.cf", postfixMaster)
	h.WriteFile("/etc/postfix/sasl/smtpd.conf", postfixAccounts)
	h.addAccount()
	dir := h.Path(mailDir)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Chown(dir, mailOwner, mailOwner)
	}
	if err == nil {
		err = os.Chmod(h.Path("/etc/lab/accounts"), 0o644) // Postfix reads it without privilege
	}
	if err != nil {
		h.t.Fatalf("set mail server up on %q: %v", h.Name, err)
	}
	s := &MailServer{host: h}
	h.t.Cleanup(s.Stop)
	return s
}

func (h *Host) addAccount() {
	h.t.Helper()
	cmd := h.Command(h.t.Context(), mustTool(h.t, "saslpasswd2"), "-p", "-c", "-u", MailName, "-f", "/etc/lab/accounts", MailUser)
	cmd.Stdin = strings.NewReader(MailPassword)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("make mail account on %q: %v: %s", h.Name, err, out)
	}
}

// Start starts the server and returns when it takes connections.
func (s *MailServer) Start() {
	h := s.host
	h.t.Helper()
	s.running = true
	h.MustTool("postfix", "start")
	err := until(h.t.Context(), 10*time.Second, func() error {
		if h.Reaches(h.IPv4, 587, time.Second) {
			return nil
		}
		return errNotYet("connection to postfix")
	})
	if err != nil {
		h.t.Fatalf("postfix on %q: %v; it said:\n%s", h.Name, err, s.log())
	}
}

// Stop ends the server, if it runs.
func (s *MailServer) Stop() {
	if !s.running {
		return
	}
	s.running = false
	if s.host.t.Failed() {
		s.host.t.Logf("postfix on %q said:\n%s", s.host.Name, s.log())
	}
	// The test's own context is done when this is a cleanup.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if out, err := s.host.Command(ctx, mustTool(s.host.t, "postfix"), "stop").CombinedOutput(); err != nil {
		s.host.t.Errorf("stop postfix on %q: %v: %s", s.host.Name, err, out)
	}
}

// log is for failure messages: without a file there is nothing to show.
func (s *MailServer) log() string {
	text, _ := os.ReadFile(s.host.Path("/var/log/postfix.log"))
	return string(text)
}

// KnownTo writes the server's name into the hosts file of h.
func (s *MailServer) KnownTo(h *Host) {
	h.t.Helper()
	h.WriteFile("/etc/hosts", fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", s.host.IPv4, MailName))
}

// Mails returns what the server has taken so far.
func (s *MailServer) Mails() []Mail {
	h := s.host
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.Path(mailDir), "box", "new", "*"))
	if err != nil {
		h.t.Fatalf("list mail of %q: %v", h.Name, err)
	}
	var mails []Mail
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatalf("read mail of %q: %v", h.Name, err)
		}
		m, err := ParseMail(raw)
		if err != nil {
			h.t.Fatalf("read mail of %q: %v in:\n%s", h.Name, err, raw)
		}
		mails = append(mails, m)
	}
	return mails
}

// WaitMails waits until there are n mails and returns them.
func (s *MailServer) WaitMails(limit time.Duration, n int) []Mail {
	s.host.t.Helper()
	var mails []Mail
	s.host.Eventually(limit, func() error {
		if mails = s.Mails(); len(mails) < n {
			return errNotYet(fmt.Sprintf("mail number %d of %d", len(mails)+1, n))
		}
		return nil
	})
	return mails
}

// Mail is a message as its reader sees it.
type Mail struct {
	Header     mail.Header
	Subject    string
	Text, HTML string // its two parts
}

// ParseMail reads a message of two parts.
func ParseMail(raw []byte) (m Mail, err error) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, err
	}
	m.Header = message.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return m, err
	}
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return m, err
	}
	if kind != "multipart/alternative" {
		return m, fmt.Errorf("content type %q", kind)
	}
	parts := multipart.NewReader(message.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		var body io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(part)
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return m, err
		}
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = text
		} else {
			m.Text = text
		}
	}
}

// WriteSecret is WriteFile for a file that only root can read.
func (h *Host) WriteSecret(name, content string) {
	h.t.Helper()
	h.WriteFile(name, "")
	if err := os.Chmod(h.Path(name), 0o600); err != nil {
		h.t.Fatalf("hide %q on %q: %v", name, h.Name, err)
	}
	h.WriteFile(name, content)
}
