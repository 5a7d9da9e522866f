// SPDX-License-Identifier: MIT

package notify

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeSMTP is a mail server for tests, with the faults that real ones have.
// Its fields are set before start and not changed while it runs, but for
// those behind mu.
type fakeSMTP struct {
	implicit   bool
	noSTARTTLS bool
	password   string                   // of user "denmap"; empty: no AUTH offered
	mechanisms string                   // of AUTH; empty: PLAIN LOGIN
	answer     func(line string) string // overrides the answer to a command; "" does not
	hangAt     string                   // the command (or "greeting", "body") that is never answered
	dropAt     string                   // the one that ends the connection
	slow       time.Duration            // between the bytes of an answer

	addr string
	cert tls.Certificate
	pool *x509.CertPool

	mu       sync.Mutex
	letters  []fakeLetter
	commands []string
	sessions int
	arrived  chan struct{} // one token for each letter
	closing  chan struct{}
}

type fakeLetter struct {
	From string
	To   []string
	Data string
}

// start listens on a free loopback port with a certificate for names.
func (f *fakeSMTP) start(t *testing.T, names ...string) *fakeSMTP {
	t.Helper()
	if len(names) == 0 {
		names = []string{"localhost", "127.0.0.1"}
	}
	if f.pool == nil {
		f.cert, f.pool = makeCertificate(t, time.Now().Add(time.Hour), names...)
	}
	f.arrived = make(chan struct{}, 1000)
	f.closing = make(chan struct{})
	f.listen(t, "127.0.0.1:0")
	return f
}

func (f *fakeSMTP) listen(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		close(f.closing)
		wg.Wait()
	})
}

func (f *fakeSMTP) port() int {
	var port int
	fmt.Sscan(f.addr[strings.LastIndexByte(f.addr, ':')+1:], &port)
	return port
}

type fakeSession struct {
	f      *fakeSMTP
	conn   net.Conn
	r      *bufio.Reader
	secure bool
}

func (s *fakeSession) say(text string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n") + "\r\n"
		if s.f.slow == 0 {
			s.conn.Write([]byte(line))
			continue
		}
		for i := range line {
			select {
			case <-time.After(s.f.slow):
			case <-s.f.closing:
				return
			}
			if _, err := s.conn.Write([]byte{line[i]}); err != nil {
				return
			}
		}
	}
}

// fault reports whether the session ends at this step.
func (s *fakeSession) fault(step string) bool {
	if s.f.hangAt == step {
		// Until the client goes away, or the test ends.
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			for {
				if _, err := s.r.ReadByte(); err != nil {
					return
				}
			}
		}()
		select {
		case <-gone:
		case <-s.f.closing:
		}
		return true
	}
	return s.f.dropAt == step
}

func (f *fakeSMTP) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	f.sessions++
	f.mu.Unlock()
	s := &fakeSession{f: f, conn: conn}
	if f.implicit {
		s.conn, s.secure = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{f.cert}}), true
	}
	s.r = bufio.NewReader(s.conn)
	if s.fault("greeting") {
		return
	}
	s.say("220 fake ESMTP")
	var letter fakeLetter
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		f.mu.Lock()
		f.commands = append(f.commands, line)
		f.mu.Unlock()
		verb, _, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		if s.fault(verb) {
			return
		}
		if f.answer != nil {
			if text := f.answer(line); text != "" {
				s.say(text)
				continue
			}
		}
		switch verb {
		case "EHLO":
			s.say(s.features())
		case "STARTTLS":
			s.say("220 go ahead")
			s.conn, s.secure = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{f.cert}}), true
			s.r = bufio.NewReader(s.conn)
		case "AUTH":
			s.say(s.authenticate(line))
		case "MAIL":
			letter = fakeLetter{From: inBrackets(line)}
			s.say("250 ok")
		case "RCPT":
			letter.To = append(letter.To, inBrackets(line))
			s.say("250 ok")
		case "DATA":
			s.say("354 go on")
			var b strings.Builder
			for {
				line, err := s.r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			letter.Data = b.String()
			if s.fault("body") {
				return
			}
			f.mu.Lock()
			f.letters = append(f.letters, letter)
			f.mu.Unlock()
			f.arrived <- struct{}{}
			s.say("250 queued")
		case "QUIT":
			s.say("221 bye")
			return
		default:
			s.say("250 ok")
		}
	}
}

func (s *fakeSession) features() string {
	lines := []string{"fake", "8BITMIME", "SMTPUTF8"}
	if !s.secure && !s.f.noSTARTTLS && !s.f.implicit {
		lines = append(lines, "STARTTLS")
	}
	if s.f.password != "" {
		mechanisms := s.f.mechanisms
		if mechanisms == "" {
			mechanisms = "PLAIN LOGIN"
		}
		lines = append(lines, "AUTH "+mechanisms)
	}
	text := ""
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		text += "250" + sep + l + "\n"
	}
	return text
}

func (s *fakeSession) authenticate(line string) string {
	fields := strings.Fields(line)
	var user, password string
	decode := func(text string) string {
		b, _ := base64.StdEncoding.DecodeString(text)
		return string(b)
	}
	switch {
	case len(fields) == 3 && fields[1] == "PLAIN":
		parts := strings.Split(decode(fields[2]), "\x00")
		if len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case len(fields) >= 2 && fields[1] == "LOGIN":
		for _, v := range []*string{&user, &password} {
			s.say("334 " + base64.StdEncoding.EncodeToString([]byte("?")))
			reply, err := s.r.ReadString('\n')
			if err != nil {
				return "501 gone"
			}
			*v = decode(strings.TrimSpace(reply))
		}
	}
	if user == "denmap" && password == s.f.password {
		return "235 welcome"
	}
	// Some servers echo what they got.
	return "535 5.7.8 authentication failed: " + password + " " + base64.StdEncoding.EncodeToString([]byte(password))
}

func inBrackets(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}

func (f *fakeSMTP) received() []fakeLetter {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]fakeLetter(nil), f.letters...)
}

func (f *fakeSMTP) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.commands...)
}

// makeCertificate makes a self-signed certificate and a pool that trusts it.
func makeCertificate(t *testing.T, until time.Time, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fake"},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
