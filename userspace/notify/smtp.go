// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// smtpSender delivers mail to one server. It drives go-mail's SMTP client
// step by step rather than through its one-call Send, which gives up the
// whole message when one of several recipients is refused, extends its
// deadline as it goes, and does not say which step failed.
type smtpSender struct {
	o     Options
	from  *mail.Address
	to    []*mail.Address
	hello string
	addr  string // host:port
}

func newSMTP(o Options) (*smtpSender, error) {
	s := &smtpSender{o: o, addr: net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), hello: helloName(o.Hostname)}
	var err error
	if s.from, err = parseAddress(o.From); err != nil {
		return nil, fmt.Errorf("mail sender: %w", err)
	}
	if s.from.Name == "" {
		s.from.Name = "DenMap on " + o.Hostname
	}
	for _, to := range o.To {
		a, err := parseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("mail recipient: %w", err)
		}
		if !slices.ContainsFunc(s.to, func(b *mail.Address) bool { return b.Address == a.Address }) {
			s.to = append(s.to, a)
		}
	}
	return s, nil
}

// helloName is what the client calls itself: servers check the syntax.
func helloName(host string) string {
	bad := func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if host == "" || strings.ContainsFunc(host, bad) {
		return "localhost"
	}
	return host
}

// Send implements Sender. The whole attempt ends with ctx: a server that
// hangs or dribbles at any step costs no more than that.
func (s *smtpSender) Send(ctx context.Context, m Message, settled []string) (Receipt, error) {
	to := slices.DeleteFunc(slices.Clone(s.to), func(a *mail.Address) bool { return slices.Contains(settled, a.Address) })
	if len(to) == 0 {
		return Receipt{}, nil
	}
	letter, err := s.letter(m)
	if err != nil {
		return Receipt{}, &SendError{Stage: StageData, Server: s.addr, Scope: ScopePermanent, Err: err}
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return Receipt{}, s.fail(ctx, StageConnect, err)
	}
	defer conn.Close()
	// go-mail sets deadlines of its own; closing is what they cannot undo.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	client, err := s.open(ctx, conn)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := s.transact(ctx, client, letter, to)
	// The message is accepted or not by now; how the server says goodbye
	// changes nothing.
	if ctx.Err() == nil {
		_ = client.Quit()
	}
	return receipt, err
}

// dial connects, with implicit TLS if that is the mode.
func (s *smtpSender) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	if s.o.TLS == TLSNone && !s.o.AllowPlaintext {
		// A name such as "localhost" may resolve to anything.
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			conn.Close()
			return nil, errPlaintext
		}
	}
	return conn, nil
}

var (
	errPlaintext  = errors.New("mail without tls beyond loopback addresses")
	errNoSTARTTLS = errors.New("server does not offer STARTTLS")
	errNoAuth     = errors.New("server offers no usable authentication")
)

// open greets the server, secures the connection and authenticates.
func (s *smtpSender) open(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	if s.o.TLS == TLSImplicit {
		secure := tls.Client(conn, s.tlsConfig())
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, s.fail(ctx, StageTLS, err)
		}
		conn = secure
	}
	client, err := smtp.NewClient(conn, s.o.Host)
	if err != nil {
		return nil, s.fail(ctx, StageHello, err)
	}
	client.SkipSMTPUTF8(!s.needsUTF8())
	if err := client.Hello(s.hello); err != nil {
		return nil, s.fail(ctx, StageHello, err)
	}
	if s.o.TLS == TLSStartTLS {
		if ok, _ := client.Extension("STARTTLS"); !ok {
			return nil, s.fail(ctx, StageTLS, errNoSTARTTLS)
		}
		if err := client.StartTLS(s.tlsConfig()); err != nil {
			return nil, s.fail(ctx, StageTLS, err)
		}
	}
	if s.o.Username == "" {
		return client, nil
	}
	// Read for each attempt, so that a changed password needs no restart.
	password, err := ReadSecret(s.o.PasswordFile, s.o.Credentials)
	if err != nil {
		return nil, s.fail(ctx, StagePassword, err)
	}
	auth, err := s.auth(client, password)
	if err != nil {
		return nil, s.fail(ctx, StageAuth, err)
	}
	if err := client.Auth(auth); err != nil {
		failure := s.fail(ctx, StageAuth, err)
		if failure.Code != 0 {
			// A server may echo what it was sent.
			hidden := []string{base64.StdEncoding.EncodeToString([]byte(password)), password}
			failure.Err = &textproto.Error{Code: failure.Code, Msg: redact(failure.answer(), hidden)}
		}
		return nil, failure
	}
	return client, nil
}

func (s *smtpSender) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.o.Host, RootCAs: s.o.RootCAs, MinVersion: tls.VersionTLS12}
}

// auth picks the best mechanism that the server offers. Under TLS PLAIN
// comes first, as every server gets it right; without TLS the mechanisms
// that do not show the password do.
func (s *smtpSender) auth(client *smtp.Client, password string) (smtp.Auth, error) {
	_, offered := client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	order := []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}
	plaintext := s.o.TLS == TLSNone
	if plaintext {
		order = []string{"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}
	}
	for _, name := range order {
		if !slices.Contains(mechanisms, name) {
			continue
		}
		switch name {
		case "PLAIN":
			return smtp.PlainAuth("", s.o.Username, password, s.o.Host, plaintext), nil
		case "LOGIN":
			return smtp.LoginAuth(s.o.Username, password, s.o.Host, plaintext), nil
		case "SCRAM-SHA-256":
			return smtp.ScramSHA256Auth(s.o.Username, password), nil
		case "SCRAM-SHA-1":
			return smtp.ScramSHA1Auth(s.o.Username, password), nil
		case "CRAM-MD5":
			return smtp.CRAMMD5Auth(s.o.Username, password), nil
		}
	}
	return nil, errNoAuth
}

// transact sends one message. Recipients that are refused for good are
// settled without it; those that are refused for now make it fail after
// the others were served.
func (s *smtpSender) transact(ctx context.Context, client *smtp.Client, letter *gomail.Msg, to []*mail.Address) (Receipt, error) {
	var receipt Receipt
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return receipt, s.fail(ctx, StageSender, err)
	}
	var accepted []string
	var later error
	for _, a := range to {
		err := client.Rcpt("<" + a.Address + ">")
		var answer *textproto.Error
		switch {
		case err == nil:
			accepted = append(accepted, a.Address)
		case errors.As(err, &answer):
			failure := s.fail(ctx, StageRecipient, err)
			failure.Recipient = a.Address
			if failure.Scope = ScopeMessage; answer.Code >= 500 {
				failure.Scope = ScopePermanent
				receipt.Settled = append(receipt.Settled, a.Address)
				receipt.Refused = append(receipt.Refused, Refusal{a.Address, clean(fmt.Sprintf("%d %s", answer.Code, answer.Msg), 200)})
			}
			if later == nil || failure.Scope == ScopeMessage {
				later = failure
			}
		default:
			return Receipt{}, s.fail(ctx, StageRecipient, err)
		}
	}
	if len(accepted) == 0 {
		return receipt, later
	}
	if err := s.data(client, letter, accepted); err != nil {
		failure := s.fail(ctx, StageData, err)
		if failure.Code >= 500 {
			failure.Scope = ScopePermanent
		} else if failure.Code >= 400 {
			failure.Scope = ScopeMessage
		}
		return receipt, failure
	}
	receipt.Settled = append(receipt.Settled, accepted...)
	if scopeOf(later) == ScopeMessage {
		return receipt, later
	}
	return receipt, nil
}

func (s *smtpSender) data(client *smtp.Client, letter *gomail.Msg, to []string) error {
	if err := letter.To(to...); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	// On an error the writer is not closed: closing would send the final
	// dot, and with it half a message.
	if _, err := letter.WriteTo(w); err != nil {
		return err
	}
	return w.Close()
}

// fail wraps the error of a step.
func (s *smtpSender) fail(ctx context.Context, stage Stage, err error) *SendError {
	e := &SendError{Stage: stage, Server: s.addr, Err: err}
	var answer *textproto.Error
	if errors.As(err, &answer) {
		e.Code = answer.Code
	} else if ctx.Err() != nil {
		// The connection was closed under the step that was under way.
		e.Err = context.Cause(ctx)
	}
	if stage == StageSender {
		e.Sender = s.from.Address
	}
	return e
}
