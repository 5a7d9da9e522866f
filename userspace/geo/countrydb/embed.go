// SPDX-License-Identifier: MIT

package countrydb

import _ "embed"

// packed is written by refresh.sh, through the command in pack.
//
//go:embed countries.bin.gz
var packed []byte

// Attribution must stay with every copy of the built-in database: its
// sources are under CC BY 4.0 (userspace/geo/NOTICE).
const Attribution = "built-in country database: ip-location-db geo-whois-asn-country, " +
	"from statistics of the Number Resource Organization (nro.net), CC BY 4.0"

// BuiltIn decodes the built-in database. Each call makes a copy of its
// own, so callers keep the result.
func BuiltIn() (*DB, error) { return Decode(packed) }
