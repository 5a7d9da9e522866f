// SPDX-License-Identifier: MIT

package control

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzAnswer says anything to the server's end of a connection: it calls
// the handler with exactly what a line of JSON says, or not at all, and
// gives one line back.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"command":"detach","args":["eth0","eth1"]}` + "\n", `{"command":"troubles"}` + "\n", "\n", "{\n", "[]\n", "null\n",
		`{"command":7}` + "\n", `{"command":"x","args":[null]}` + "\n" + `{"command":"y"}` + "\n", `{"command":"no end"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > maxLine+10 {
			return // more than the socket buffers in one go
		}
		server, client := mustPair(t)
		defer client.Close()
		if _, err := client.Write(said); err != nil {
			t.Fatal(err)
		}
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var called []Request
		answer(server, func(r Request) Response {
			called = append(called, r)
			return Response{Message: r.Command}
		})
		server.Close()
		// What the server left unread ends the connection with an error.
		got, _ := io.ReadAll(client)
		var back Response
		if err := json.Unmarshal(got, &back); err != nil || bytes.Count(got, []byte("\n")) != 1 {
			t.Fatalf("answer to %q: %q, %v", said, got, err)
		}
		line, _, whole := bytes.Cut(said, []byte("\n"))
		var want Request
		valid := whole && len(line) < maxLine && json.Unmarshal(line, &want) == nil
		switch {
		case valid && (len(called) != 1 || !reflect.DeepEqual(called[0], want) || back.Error != ""):
			t.Errorf("%q: called with %+v, answered %q", said, called, got)
		case !valid && (len(called) != 0 || back.Error == ""):
			t.Errorf("%q: called with %+v, answered %q", said, called, got)
		}
	})
}

// mustPair returns the ends of a connected socket.
func mustPair(t *testing.T) (server, client *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := make([]*net.UnixConn, 2)
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = conn.(*net.UnixConn)
	}
	return ends[0], ends[1]
}
