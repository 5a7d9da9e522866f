// SPDX-License-Identifier: MIT

package dashboard

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// mailServer is a mail server on loopback that takes one user's mail.
type mailServer struct {
	host, port string
	letters    chan letter
}

type letter struct{ user, password, to, data string }

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &mailServer{letters: make(chan letter, 10)}
	if m.host, m.port, err = net.SplitHostPort(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

// serve speaks as much of SMTP as a sender needs. A client that breaks off
// is none of its business.
func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	lines := bufio.NewScanner(conn)
	var got letter
	say("220 mail.example ESMTP")
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			say("250-mail.example")
			say("250 AUTH PLAIN")
		case "AUTH":
			_, blob, _ := strings.Cut(rest, " ")
			raw, _ := base64.StdEncoding.DecodeString(blob)
			if parts := strings.Split(string(raw), "\x00"); len(parts) == 3 {
				got.user, got.password = parts[1], parts[2]
			}
			say("235 go ahead")
		case "RCPT":
			got.to += rest
			say("250 fine")
		case "DATA":
			say("354 say it")
			for lines.Scan() && lines.Text() != "." {
				got.data += lines.Text() + "\n"
			}
			say("250 taken")
			m.letters <- got
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}
