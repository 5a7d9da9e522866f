// SPDX-License-Identifier: MIT

package netstate

import (
	"bytes"
	"cmp"
	"net/netip"
	"strings"
)

const maxResolvConf = 64 << 10

// resolvers returns the DNS servers that this host asks. Where it asks
// systemd's stub, the servers that the stub asks count.
func (r Reader) resolvers(interfaces []Interface) []netip.Addr {
	data := readSmall(cmp.Or(r.ResolvConf, "/etc/resolv.conf"), maxResolvConf)
	list, stub := nameservers(data, interfaces)
	if stub {
		data = readSmall(cmp.Or(r.Upstream, "/run/systemd/resolve/resolv.conf"), maxResolvConf)
		more, _ := nameservers(data, interfaces)
		list = append(list, more...)
	}
	return sortAddrs(list)
}

// nameservers returns the servers of a resolv.conf, and whether systemd's
// stub is one of them.
func nameservers(data []byte, interfaces []Interface) (list []netip.Addr, stub bool) {
	for line := range bytes.Lines(data) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		switch server := fields[1]; server {
		case "127.0.0.53", "127.0.0.54": // with and without the stub's own processing
			stub = true
		default:
			if a, ok := remote(server, interfaces); ok {
				list = append(list, a)
			}
		}
	}
	return list, stub
}
