// SPDX-License-Identifier: MIT

package countrydb

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/netip"
	"testing"
)

// FuzzDecode feeds well-compressed nonsense to the decoder: it must refuse
// it or give a table in which every look-up works.
func FuzzDecode(f *testing.F) {
	zr, err := gzip.NewReader(bytes.NewReader(mustEncode(f,
		entry{"192.0.2.0/24", "GB"}, entry{"2001:db8::/32", "NO"})))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, plain []byte) {
		var packed bytes.Buffer
		zw := gzip.NewWriter(&packed)
		if _, err := zw.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := Decode(packed.Bytes())
		if err != nil {
			return
		}
		for _, s := range []string{"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff::ffff"} {
			addr := netip.MustParseAddr(s)
			if _, network := db.Lookup(addr); !network.Contains(addr) {
				t.Fatalf("%v answered for %v", network, addr)
			}
		}
	})
}
