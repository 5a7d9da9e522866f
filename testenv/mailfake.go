// SPDX-License-Identifier: MIT

package testenv

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// FakeMail is a mail server that misbehaves as asked. The zero value
// behaves: it offers STARTTLS and takes every mail.
type FakeMail struct {
	TLS *tls.Config

	Hang    bool          // take connections and say nothing
	NoTLS   bool          // do not offer STARTTLS
	CutTLS  bool          // close the connection in the handshake
	Slow    time.Duration // before every answer
	Refuse  string        // a recipient to refuse
	Sender  bool          // refuse every sender
	Account bool          // ask for authentication, and refuse it

	mu    sync.Mutex
	taken []string
}

// Taken returns the mails that were taken, each with its recipients in
// front.
func (f *FakeMail) Taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.taken...)
}

// ServeMail runs a fake server on a port of the host.
func (h *Host) ServeMail(port uint16, f *FakeMail) {
	h.t.Helper()
	h.serve(h.Listen(port), f.talk)
}

// dialogue is one connection.
type dialogue struct {
	f         *FakeMail
	conn      net.Conn
	in        *bufio.Reader
	encrypted bool
	to        []string
}

func (f *FakeMail) talk(conn net.Conn) {
	d := &dialogue{f: f, conn: conn, in: bufio.NewReader(conn)}
	if f.Hang {
		_, _ = d.in.ReadByte() // until the connection is closed
		return
	}
	if !d.say("220 fake ESMTP") {
		return
	}
	for {
		line, err := d.in.ReadString('\n')
		if err != nil || !d.answer(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

func (d *dialogue) say(lines ...string) bool {
	time.Sleep(d.f.Slow)
	_, err := fmt.Fprint(d.conn, strings.Join(lines, "\r\n")+"\r\n")
	return err == nil
}

// answer reports whether the dialogue goes on.
func (d *dialogue) answer(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO":
		return d.greet()
	case "STARTTLS":
		return d.secure()
	case "AUTH":
		return d.say("535 5.7.8 no such account")
	case "MAIL":
		if d.f.Sender {
			return d.say("553 5.7.1 you are not who you say")
		}
		d.to = nil
		return d.say("250 go on")
	case "RCPT":
		if d.f.Refuse != "" && strings.Contains(rest, d.f.Refuse) {
			return d.say("550 5.1.1 nobody of that name")
		}
		d.to = append(d.to, rest)
		return d.say("250 go on")
	case "DATA":
		return d.take()
	case "QUIT":
		d.say("221 bye")
		return false
	}
	return d.say("250 if you say so")
}

func (d *dialogue) greet() bool {
	offers := []string{"250-fake"}
	if !d.encrypted && !d.f.NoTLS {
		offers = append(offers, "250-STARTTLS")
	}
	if d.f.Account && d.encrypted {
		offers = append(offers, "250-AUTH PLAIN LOGIN")
	}
	return d.say(append(offers, "250 8BITMIME")...)
}

func (d *dialogue) secure() bool {
	if !d.say("220 go on") || d.f.CutTLS {
		return false
	}
	secure := tls.Server(d.conn, d.f.TLS)
	if err := secure.Handshake(); err != nil {
		return false
	}
	d.conn, d.in, d.encrypted = secure, bufio.NewReader(secure), true
	return true
}

func (d *dialogue) take() bool {
	if !d.say("354 go on") {
		return false
	}
	var body strings.Builder
	for {
		line, err := d.in.ReadString('\n')
		if err != nil {
			return false
		}
		if strings.TrimRight(line, "\r\n") == "." {
			break
		}
		body.WriteString(line)
	}
	d.f.mu.Lock()
	d.f.taken = append(d.f.taken, strings.Join(d.to, " ")+"\n"+body.String())
	d.f.mu.Unlock()
	return d.say("250 taken")
}
