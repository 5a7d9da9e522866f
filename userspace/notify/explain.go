// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Explain says in a sentence or two what went wrong with a delivery and
// what to look at, for `denmap mail test` and `denmap status`. It returns
// "" for nil. No explanation holds a secret.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	var se *SendError
	if !errors.As(err, &se) {
		return clean(err.Error(), 400)
	}
	where := clean(se.Server, 100)
	for _, explain := range []func(*SendError, string) string{explainTLS, explainAnswer, explainNetwork} {
		if text := explain(se, where); text != "" {
			return clean(text, 500)
		}
	}
	return se.Error()
}

// explainTLS covers certificates and what was meant to be encrypted.
func explainTLS(e *SendError, where string) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(e.Err, &name):
		return fmt.Sprintf("the certificate of %s is for another name (%v): use the name that is in the certificate as the host", where, name)
	case errors.As(e.Err, &authority):
		return fmt.Sprintf("the certificate of %s is signed by an authority that this host does not know: "+
			"install that authority's certificate (update-ca-certificates), or use the server's public name", where)
	case errors.As(e.Err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the certificate of %s has expired or is not valid yet: renew it, and check this host's clock", where)
	case errors.As(e.Err, &invalid):
		return fmt.Sprintf("the certificate of %s is not valid: %v", where, invalid)
	case errors.As(e.Err, &record):
		return fmt.Sprintf("%s does not speak tls on this port: port 465 is for \"tls\", 587 and 25 are for \"starttls\"", where)
	case errors.Is(e.Err, errNoSTARTTLS):
		return fmt.Sprintf("%s does not offer STARTTLS, and nothing is sent unencrypted: "+
			"use the submission port 587, or tls \"tls\" with port 465", where)
	case errors.Is(e.Err, errPlaintext):
		return fmt.Sprintf("%s is not this host, and mail beyond it is not sent without tls: use \"starttls\" or \"tls\"", where)
	}
	return ""
}

// explainAnswer covers what the server said.
func explainAnswer(e *SendError, where string) string {
	answer := clean(e.answer(), 200)
	switch {
	case errors.Is(e.Err, errNoAuth):
		return fmt.Sprintf("%s offers no authentication that DenMap can use here: check the port, or leave the username out", where)
	case e.Stage == StagePassword:
		return fmt.Sprintf("the password cannot be read: %v", e.Err)
	case e.Stage == StageHTTP && (e.Code == 401 || e.Code == 403):
		return fmt.Sprintf("%s refused the webhook (%d): check the secret and the URL", where, e.Code)
	case e.Stage == StageHTTP && e.Code == 404:
		return fmt.Sprintf("%s knows no such webhook (404): check the path of the URL", where)
	case e.Stage == StageHTTP && e.Code >= 300 && e.Code < 400:
		return fmt.Sprintf("%s sends the webhook elsewhere (%d): redirects are not followed, configure the final URL", where, e.Code)
	case e.Stage == StageHTTP && e.Code != 0:
		return fmt.Sprintf("%s answered %d to the webhook", where, e.Code)
	case e.Code == 0:
		return ""
	case e.Stage == StageAuth && (e.Code == 535 || e.Code == 534):
		return fmt.Sprintf("%s refused the username or password (%d %s): check both; "+
			"some providers want a password made for applications", where, e.Code, answer)
	case e.Stage == StageAuth:
		return fmt.Sprintf("%s did not authenticate this host (%d %s)", where, e.Code, answer)
	case e.Code == 530:
		return fmt.Sprintf("%s wants authentication first (530 %s): set the username and password file", where, answer)
	case e.Stage == StageSender:
		return fmt.Sprintf("%s refused the sender %s (%d %s): use an address that this account may send from", where, e.Sender, e.Code, answer)
	case e.Stage == StageRecipient && e.Code >= 500:
		return fmt.Sprintf("%s refused the recipient %s (%d %s): check the address, and whether this server relays for you",
			where, e.Recipient, e.Code, answer)
	case e.Stage == StageRecipient:
		return fmt.Sprintf("%s does not accept mail for %s now (%d %s): it is tried again", where, e.Recipient, e.Code, answer)
	case e.Stage == StageData && e.Code >= 500:
		return fmt.Sprintf("%s refused the message itself (%d %s)", where, e.Code, answer)
	case e.Code >= 400 && e.Code < 500:
		return fmt.Sprintf("%s cannot take mail now (%d %s): it is tried again", where, e.Code, answer)
	}
	return fmt.Sprintf("%s answered %d %s", where, e.Code, answer)
}

// explainNetwork covers what happens before and between answers.
func explainNetwork(e *SendError, where string) string {
	var dns *net.DNSError
	switch {
	case errors.As(e.Err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("the name %s does not exist: check the host", clean(dns.Name, 100))
	case errors.As(e.Err, &dns):
		return fmt.Sprintf("the name %s cannot be looked up now: check this host's DNS servers", clean(dns.Name, 100))
	case errors.Is(e.Err, errBusy):
		return fmt.Sprintf("%s has not answered the message before this one", where)
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s (connection refused): check host and port, and whether the server runs", where)
	case errors.Is(e.Err, syscall.EHOSTUNREACH), errors.Is(e.Err, syscall.ENETUNREACH):
		return fmt.Sprintf("there is no route to %s: check this host's network", where)
	case isTimeout(e.Err) && e.Stage == StageHello:
		return fmt.Sprintf("%s accepts connections but does not greet in time: it hangs, or it wants tls \"tls\" on this port", where)
	case isTimeout(e.Err):
		return fmt.Sprintf("%s did not answer in time (during: %s): it hangs, or a firewall drops the connection", where, e.Stage)
	case errors.Is(e.Err, io.EOF), errors.Is(e.Err, io.ErrUnexpectedEOF), errors.Is(e.Err, syscall.ECONNRESET), errors.Is(e.Err, syscall.EPIPE):
		return fmt.Sprintf("%s closed the connection (during: %s): check that the tls mode fits the port", where, e.Stage)
	}
	return ""
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		(errors.As(err, &timeout) && timeout.Timeout())
}
