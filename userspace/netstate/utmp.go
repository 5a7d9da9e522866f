// SPDX-License-Identifier: MIT

package netstate

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"runtime"
)

const maxUtmp = 4 << 20

// userProcess is the ut_type of a logged-in user (utmp(5)); who is still
// at the password prompt has another.
const userProcess = 7

// Offsets in struct utmp that are the same everywhere.
const (
	utmpPID      = 4
	utmpHost     = 76
	utmpHostSize = 256
)

// utmpLayout is where struct utmp of glibc differs between processors: some
// keep its times at 32 bits for the sake of their 32-bit programs, others
// never had any and use 64.
type utmpLayout struct {
	size int // of a record
	addr int // offset of ut_addr_v6
}

var (
	utmp32 = utmpLayout{size: 384, addr: 348} // x86_64, 32-bit ARM, ...
	utmp64 = utmpLayout{size: 400, addr: 360} // arm64, riscv64, loong64
)

var hostUtmp = utmpFor(runtime.GOARCH)

func utmpFor(arch string) utmpLayout {
	switch arch {
	case "arm64", "riscv64", "loong64":
		return utmp64
	}
	return utmp32
}

// login is a logged-in user according to utmp.
type login struct {
	pid  int
	host string // an address, or what the login program knew instead
}

// parseUtmp returns the logged-in users of a utmp file, in the byte order
// of this host. An incomplete last record is left out.
func parseUtmp(data []byte, layout utmpLayout) []login {
	var list []login
	for ; len(data) >= layout.size; data = data[layout.size:] {
		if int16(binary.NativeEndian.Uint16(data)) != userProcess {
			continue
		}
		l := login{pid: int(int32(binary.NativeEndian.Uint32(data[utmpPID:])))}
		if a := utmpAddr(data[layout.addr:]); !a.IsUnspecified() {
			l.host = a.String()
		} else {
			// Some programs only fill in the name, which is the
			// address where they do not look up names.
			host, _, _ := bytes.Cut(data[utmpHost:utmpHost+utmpHostSize], []byte{0})
			l.host = string(host)
		}
		list = append(list, l)
	}
	return list
}

// utmpAddr reads ut_addr_v6, 16 bytes, of which an IPv4 address takes the
// first four.
func utmpAddr(b []byte) netip.Addr {
	a := [16]byte(b[:16])
	if [12]byte(a[4:]) == [12]byte{} {
		return netip.AddrFrom4([4]byte(a[:4]))
	}
	return netip.AddrFrom16(a)
}
