// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"strings"
)

// Sender hands messages to one destination. Send returns when the message
// is accepted or refused, or soon after ctx ends; one call at a time.
type Sender interface {
	// Send delivers m to every recipient that is not in settled. The
	// receipt is valid with an error too: some recipients may have the
	// message while others do not. A *SendError says what to do next; any
	// other error is worth another attempt.
	Send(ctx context.Context, m Message, settled []string) (Receipt, error)
}

// Receipt is what one attempt achieved.
type Receipt struct {
	Settled []string  // recipients that need no further attempt: served or refused for good
	Refused []Refusal // those of them that were refused
}

// Refusal is a recipient that the server will never accept.
type Refusal struct {
	Recipient string `json:"recipient"`
	Answer    string `json:"answer"`
}

// Scope says what an error is about.
type Scope uint8

// The scopes.
const (
	ScopeTarget    Scope = iota // the destination: every message would meet it now
	ScopeMessage                // this message, this time: others may pass
	ScopePermanent              // this message, for good: no further attempt
)

// Stage is the step of a delivery that went wrong.
type Stage string

// The stages.
const (
	StagePassword  Stage = "read the password"
	StageConnect   Stage = "connect"
	StageTLS       Stage = "start tls"
	StageHello     Stage = "greet"
	StageAuth      Stage = "authenticate"
	StageSender    Stage = "name the sender"
	StageRecipient Stage = "name a recipient"
	StageData      Stage = "send the message"
	StageHTTP      Stage = "post"
	StageChat      Stage = "chat"
)

// SendError is a delivery that failed. Its text names the server and holds
// no secret.
type SendError struct {
	Stage     Stage
	Server    string // host and port, or the destination's name
	Recipient string // for StageRecipient
	Sender    string // for StageSender
	Code      int    // of the SMTP or HTTP answer; 0: there was none
	Scope     Scope
	Err       error
}

// Error implements error.
func (e *SendError) Error() string {
	what := string(e.Stage)
	switch {
	case e.Recipient != "":
		what = fmt.Sprintf("%s %q", what, e.Recipient)
	case e.Sender != "":
		what = fmt.Sprintf("%s %q", what, e.Sender)
	}
	return clean(fmt.Sprintf("%s at %q: %v", what, e.Server, e.Err), 400)
}

// answer returns what the server said, or "" if it said nothing.
func (e *SendError) answer() string {
	var t *textproto.Error
	if errors.As(e.Err, &t) {
		return t.Msg
	}
	return ""
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// scopeOf returns what err is about.
func scopeOf(err error) Scope {
	var se *SendError
	if errors.As(err, &se) {
		return se.Scope
	}
	return ScopeTarget
}

// form says what a destination takes of a Message.
type form uint8

const (
	formMail form = iota
	formChat
	formWebhook
)

// trim returns m without what the form has no use for, so that spool files
// stay small.
func (f form) trim(m Message) Message {
	switch f {
	case formMail:
		m.Short, m.Body = "", nil
	case formChat:
		m.Text, m.HTML, m.Body = "", "", nil
	case formWebhook:
		m.Text, m.HTML, m.Short = "", "", ""
	}
	return m
}

// target is a destination. Its name is part of file names and of what
// people see; it holds nothing of the URL but the scheme, so that a
// rotated token still delivers what waits.
type target struct {
	name   string
	form   form
	sender Sender
}

// newTargets makes the destinations of o, which must have its defaults.
func newTargets(o Options) ([]target, error) {
	var targets []target
	if o.Host != "" {
		s, err := newSMTP(o)
		if err != nil {
			return nil, err
		}
		targets = append(targets, target{"mail", formMail, s})
	}
	names := map[string]int{}
	for i, raw := range o.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			// The cause quotes the URL, and with it the token.
			return nil, fmt.Errorf("notify url %d: not a url", i+1)
		}
		scheme, _, isHook := strings.Cut(strings.ToLower(u.Scheme), "+")
		if !safeScheme(scheme) {
			return nil, fmt.Errorf("notify url %d: want scheme://address", i+1)
		}
		t := target{name: scheme, form: formChat}
		if scheme == "webhook" && isHook {
			t.form = formWebhook
			t.sender, err = newWebhook(u, o)
		} else {
			t.sender, err = newChat(raw, scheme)
		}
		if err != nil {
			return nil, fmt.Errorf("notify url %d (%s): %w", i+1, scheme, err)
		}
		names[scheme]++
		if n := names[scheme]; n > 1 {
			t.name = fmt.Sprintf("%s-%d", scheme, n)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// safeScheme reports whether s may be part of a file name.
func safeScheme(s string) bool {
	return s != "" && len(s) <= 30 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}
