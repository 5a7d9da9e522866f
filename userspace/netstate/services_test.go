// SPDX-License-Identifier: MIT

package netstate

import (
	"net"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"denmap/userspace/event"
)

func TestServices(t *testing.T) {
	enterNamespace(t)
	must(t, netlink.LinkSetUp(mustLink(t, "lo")))
	listen := func(network, addr string) {
		t.Helper()
		l, err := net.Listen(network, addr)
		must(t, err)
		t.Cleanup(func() { l.Close() })
	}
	bind := func(network, addr string) {
		t.Helper()
		c, err := net.ListenPacket(network, addr)
		must(t, err)
		t.Cleanup(func() { c.Close() })
	}
	listen("tcp4", "0.0.0.0:8001")
	listen("tcp", ":8002")
	listen("tcp4", "127.0.0.1:8003")
	listen("tcp6", "[::1]:8004")
	bind("udp4", "0.0.0.0:8005")
	bind("udp", ":8006")
	bind("udp6", "[::1]:8007")
	conn, err := net.Dial("tcp", "127.0.0.1:8001")
	must(t, err)
	defer conn.Close()
	got, err := Reader{}.Services()
	must(t, err)
	slices.SortFunc(got, func(a, b event.Service) int { return int(a.Port) - int(b.Port) })
	want := []event.Service{{Port: 8001}, {Port: 8002}, {UDP: true, Port: 8005}, {UDP: true, Port: 8006}}
	if !slices.Equal(got, want) {
		t.Errorf("services %+v, want %+v", got, want)
	}
}

func TestReachablePortOfShortAnswers(t *testing.T) {
	for n := range diagAnswerSize {
		if _, ok := reachablePort(make([]byte, n)); ok {
			t.Errorf("%d bytes hold a socket", n)
		}
	}
}
