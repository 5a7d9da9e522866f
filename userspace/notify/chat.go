// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// chat sends to one service of shoutrrr. Its services take no context and
// some have no timeout, so that an attempt may outlive its deadline; busy
// keeps a second one from piling up behind it. Such an attempt ends when
// the server closes the connection or TCP keep-alive finds it gone. If it
// succeeds after its deadline, the message is told twice.
type chat struct {
	name    string
	service types.Service
	secrets []string
	busy    chan struct{} // holds one token while a call is under way
}

// errBusy says that an earlier attempt still hangs.
var errBusy = errors.New("an earlier attempt is still under way")

// newChat makes a sender for a shoutrrr URL. No error holds any part of
// the URL but the scheme.
func newChat(raw, scheme string) (*chat, error) {
	c := &chat{name: scheme, secrets: secretsOf(raw), busy: make(chan struct{}, 1)}
	router, err := shoutrrr.CreateSender()
	if err != nil {
		return nil, c.redact(err)
	}
	if c.service, err = router.Locate(raw); err != nil {
		return nil, c.redact(err)
	}
	return c, nil
}

// Send implements Sender.
func (c *chat) Send(ctx context.Context, m Message, _ []string) (Receipt, error) {
	select {
	case c.busy <- struct{}{}:
	default:
		return Receipt{}, c.fail(errBusy)
	}
	// The subject is part of the text, because not every service has a title.
	text := m.Subject + "\n" + m.Short
	done := make(chan error, 1)
	go func() {
		err := c.call(text)
		<-c.busy // before done, or the next message could find it taken
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return Receipt{}, c.fail(c.redact(err))
		}
		return Receipt{}, nil
	case <-ctx.Done():
		return Receipt{}, c.fail(context.Cause(ctx))
	}
}

// call sends text. Twenty-odd services that parse what other people's
// servers answer run in here: a panic of one must not end the protection
// of the host.
func (c *chat) call(text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("service broke down: %v", r)
		}
	}()
	return c.service.Send(text, &types.Params{})
}

func (c *chat) fail(err error) *SendError {
	return &SendError{Stage: StageChat, Server: c.name, Err: err}
}

// redact returns err's text without anything that stood in the URL. The
// chain is cut, as causes hold the URL too.
func (c *chat) redact(err error) error {
	return errors.New(clean(redact(err.Error(), c.secrets), 300))
}

var (
	urls   = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]+`)
	tokens = regexp.MustCompile(`[A-Za-z0-9]{6,}`)
)

// redact replaces every URL in text, and every one of secrets.
func redact(text string, secrets []string) string {
	text = urls.ReplaceAllString(text, "URL")
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return text
}

// secretsOf lists the parts of a service URL that a message must not show:
// whole components, and every run of letters and digits that is long
// enough to be part of a token, since services take tokens apart and put
// them together differently. The longest come first.
func secretsOf(raw string) []string {
	var secrets []string
	add := func(s string) {
		if s != "" {
			secrets = append(secrets, s)
		}
	}
	_, rest, _ := strings.Cut(raw, "://")
	if u, err := url.Parse(raw); err == nil {
		if password, ok := u.User.Password(); ok {
			add(password)
		}
		if name := u.User.Username(); len(name) >= 4 {
			add(name)
		}
		rest = u.Host + " " + u.Path + " " + u.Fragment + " " + u.User.String() + " " + rest
		for _, values := range u.Query() {
			for _, v := range values {
				if len(v) >= 4 {
					add(v)
				}
			}
		}
	}
	for _, t := range tokens.FindAllString(rest, -1) {
		add(t)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(secrets)
}
