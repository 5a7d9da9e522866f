// SPDX-License-Identifier: MIT

package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"denmap/userspace/account"
)

// Call sends a request to the daemon at path and returns its answer, which
// it waits for until ctx ends. Errors: ErrNoDaemon.
func Call(ctx context.Context, path string, req Request) (Response, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return Response{}, fmt.Errorf("ask daemon at %q: %w", path, ErrNoDaemon)
	}
	if err != nil {
		return Response{}, fmt.Errorf("ask daemon: %w", err)
	}
	defer c.Close()
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return Response{}, fmt.Errorf("ask daemon at %q: not a Unix socket", path)
	}
	// The socket may be somebody else's who was there first.
	if err := checkPeer(conn, account.Trusts); err != nil {
		return Response{}, fmt.Errorf("ask daemon at %q: %w", path, err)
	}
	if err := writeLine(conn, req); err != nil {
		return Response{}, fmt.Errorf("ask daemon: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var resp Response
	if err := readLine(conn, &resp); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Response{}, fmt.Errorf("wait for the daemon's answer: %w", err)
	}
	return resp, nil
}
