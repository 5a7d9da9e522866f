// SPDX-License-Identifier: MIT

package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The netdev family of generic netlink: linux/netdev.h, since Linux 6.3.
const (
	netdevFamily      = "netdev"
	netdevVersion     = 1
	netdevCmdDevGet   = 1
	netdevAttrIndex   = 1
	netdevAttrXDP     = 3
	genericHeaderSize = 4 // bytes before the attributes
)

// asker asks drivers what they say of their native XDP.
type asker struct{ family uint16 }

// newAsker finds whom to ask; nil: this kernel cannot be asked.
func newAsker() (*asker, error) {
	family, err := netlink.GenlFamilyGet(netdevFamily)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the netdev family: %w", err)
	}
	return &asker{family.ID}, nil
}

// ask returns the features of one interface. Each is asked for by itself:
// the kernel's answer for all lacks the flag by which the library would see
// that it comes in several messages.
func (a *asker) ask(index int) (Features, error) {
	req := nl.NewNetlinkRequest(int(a.family), 0)
	req.AddData(&nl.Genlmsg{Command: netdevCmdDevGet, Version: netdevVersion})
	req.AddData(nl.NewRtAttr(netdevAttrIndex, nl.Uint32Attr(uint32(index))))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, fmt.Errorf("ask the netdev family: %w", err)
	}
	for _, answer := range answers {
		if of, f, ok := parseFeatures(answer); ok && of == index {
			return f, nil
		}
	}
	return 0, errors.New("ask the netdev family: no answer")
}

// parseFeatures reads one device of the answer.
func parseFeatures(message []byte) (index int, f Features, ok bool) {
	if len(message) < genericHeaderSize {
		return 0, 0, false
	}
	attrs, err := nl.ParseRouteAttr(message[genericHeaderSize:])
	if err != nil {
		return 0, 0, false
	}
	seen := 0
	for _, a := range attrs {
		switch {
		case a.Attr.Type == netdevAttrIndex && len(a.Value) >= 4:
			index = int(binary.NativeEndian.Uint32(a.Value))
			seen++
		case a.Attr.Type == netdevAttrXDP && len(a.Value) >= 8:
			f = Features(binary.NativeEndian.Uint64(a.Value))
			seen++
		}
	}
	return index, f, seen == 2
}
