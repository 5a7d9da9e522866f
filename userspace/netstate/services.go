// SPDX-License-Identifier: MIT

package netstate

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

// Of sock_diag(7), linux/inet_diag.h.
const (
	tcpListen       = 10
	anyState        = 1<<32 - 1
	diagRequestSize = 56 // struct inet_diag_req_v2
	diagAnswerSize  = 24 // struct inet_diag_msg up to the source address
)

// Services returns the ports with a TCP listener or a UDP socket that other
// hosts can reach: not those of loopback addresses. Cost: a pass over the
// listeners and the UDP sockets, no connections.
func (r Reader) Services() ([]event.Service, error) {
	seen := make(map[event.Service]bool)
	var out []event.Service
	for _, kind := range []struct {
		protocol uint8
		states   uint32
	}{{unix.IPPROTO_TCP, 1 << tcpListen}, {unix.IPPROTO_UDP, anyState}} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
			request.AddData(diagRequest{family, kind.protocol, kind.states})
			var answers [][]byte
			err := dump(func() (err error) { answers, err = request.Execute(unix.NETLINK_INET_DIAG, 0); return err })
			if err == unix.ENOENT || err == unix.EAFNOSUPPORT {
				continue // built without this family or protocol
			}
			if err != nil {
				return out, fmt.Errorf("list sockets: %w", err)
			}
			for _, answer := range answers {
				port, ok := reachablePort(answer)
				service := event.Service{UDP: kind.protocol == unix.IPPROTO_UDP, Port: port}
				if ok && !seen[service] {
					seen[service] = true
					out = append(out, service)
				}
			}
		}
	}
	return out, nil
}

// diagRequest asks for all sockets of a protocol in some states.
type diagRequest struct {
	family, protocol uint8
	states           uint32
}

func (d diagRequest) Len() int { return diagRequestSize }

func (d diagRequest) Serialize() []byte {
	b := make([]byte, diagRequestSize)
	b[0], b[1] = d.family, d.protocol
	binary.NativeEndian.PutUint32(b[4:], d.states)
	return b
}

// reachablePort reads the local port out of an answer, unless the socket is
// bound to a loopback address or to none.
func reachablePort(answer []byte) (uint16, bool) {
	if len(answer) < diagAnswerSize {
		return 0, false
	}
	source := netip.AddrFrom16([16]byte(answer[8:24])).Unmap()
	if answer[0] == unix.AF_INET {
		source = netip.AddrFrom4([4]byte(answer[8:12]))
	}
	port := binary.BigEndian.Uint16(answer[4:])
	return port, port != 0 && !source.IsLoopback()
}
