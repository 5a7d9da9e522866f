// SPDX-License-Identifier: MIT

package testenv

import (
	"net/netip"
	"os"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// MMDBPath is where WriteMMDB puts its database.
const MMDBPath = "/etc/denmap/test.mmdb"

// WriteMMDB gives the host a location database, in the layout of
// GeoIP2 Enterprise, that knows one network: Hannover in Germany, AS64500
// Example Net.
func (h *Host) WriteMMDB(network netip.Prefix) {
	h.t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Lab-Enterprise", IncludeReservedNetworks: true, // documentation prefixes are reserved
	})
	if err != nil {
		h.t.Fatalf("make database: %v", err)
	}
	name := func(s string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(s)}}
	}
	country := name("Germany")
	country["iso_code"] = mmdbtype.String("DE")
	record := mmdbtype.Map{
		"country":  country,
		"city":     name("Hannover"),
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(52.37), "longitude": mmdbtype.Float64(9.73)},
		"traits": mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(64500),
			"autonomous_system_organization": mmdbtype.String("Example Net"),
		},
	}
	if err := tree.Insert(ipNet(network.Masked()), record); err != nil {
		h.t.Fatalf("fill database: %v", err)
	}
	h.WriteFile(MMDBPath, "")
	file, err := os.Create(h.Path(MMDBPath))
	if err == nil {
		_, err = tree.WriteTo(file)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		h.t.Fatalf("write database on %q: %v", h.Name, err)
	}
}
