// SPDX-License-Identifier: MIT

// Package control carries requests from commands to the running daemon,
// over a Unix socket that only root and the daemon's own user may use: one
// line of JSON there, one line back. What a request means is the daemon's
// affair.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultPath is the socket of the daemon.
const DefaultPath = "/run/denmap/control.sock"

const (
	maxLine = 64 << 10 // bytes of a request or an answer

	// ioLimit bounds how long either side takes to say its line.
	ioLimit = 5 * time.Second
)

// ErrNoDaemon is wrapped by Call's error when nobody listens.
var ErrNoDaemon = errors.New("no daemon is listening")

// Request asks the daemon to do something.
type Request struct {
	Command string   `json:"command"`
	Args    []string `json:"args,omitempty"`
}

// Response is the daemon's answer. An empty Error means that it was done.
type Response struct {
	Message string `json:"message,omitempty"` // for people, one line
	Error   string `json:"error,omitempty"`
}

// mayControl says who may make requests: root and the daemon's own user.
func mayControl(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// checkPeer refuses a peer whose user is not trusted.
func checkPeer(conn *net.UnixConn, trusts func(uid int) bool) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return fmt.Errorf("identify peer: %w", err)
	}
	if !trusts(int(cred.Uid)) {
		return fmt.Errorf("user %d is neither root nor DenMap's", cred.Uid)
	}
	return nil
}

// readLine decodes one line of JSON.
func readLine(conn net.Conn, value any) error {
	line, err := bufio.NewReader(io.LimitReader(conn, maxLine)).ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, value)
}

func writeLine(conn net.Conn, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(ioLimit)); err != nil {
		return err
	}
	_, err = conn.Write(append(line, '\n'))
	return err
}
