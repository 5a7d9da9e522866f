// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/event"
	"denmap/userspace/geo"
	"denmap/userspace/lists"
)

// geoPatience is how long one address may take, ipstack included.
const geoPatience = 10 * time.Second

func geoCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "geo",
		Usage:     "show where addresses are, and which database says so",
		ArgsUsage: "ADDR...",
		Description: "Asks the databases of geo.databases, ipstack if geo.ipstack_key_file is set,\n" +
			"and the country database that is built in. The first line of each address is\n" +
			"what the log and the mails say.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			addrs, err := addresses(c)
			if err != nil {
				return err
			}
			cfg, err := env.loadConfig(c)
			if err != nil {
				return err
			}
			locator, trouble := geo.Open(geo.Options{
				Databases: cfg.Geo.Databases, IPStackKeyFile: cfg.Geo.IPStackKeyFile,
				Clock: env.Now, Poll: -1, Budget: geoPatience,
				Report: func(line string) { env.say("%s", printable(line)) },
			})
			//lint:ignore SA5001 there is a Locator with an error too
			defer locator.Close() // it has no goroutine that could hang but ipstack's, whose time is limited
			report := geoReport{Schema: schema, Addresses: []geoAddress{}}
			for _, addr := range addrs {
				report.Addresses = append(report.Addresses, describe(c.Context, locator, addr))
			}
			if c.Bool("json") {
				err = env.writeJSON(report)
			} else {
				err = env.writeText(report.text())
			}
			return errors.Join(err, trouble)
		},
	}
}

// addresses reads the arguments, all or none.
func addresses(c *cli.Context) ([]netip.Addr, error) {
	if c.NArg() == 0 {
		return nil, withHint(usagef("geo: expected addresses"), "usage: %s", usageLine(c))
	}
	var addrs []netip.Addr
	for _, arg := range c.Args().Slice() {
		addr, err := lists.ParseAddr(arg)
		if err != nil {
			return nil, badValue(err)
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// geoReport is the JSON document of geo.
type geoReport struct {
	Schema    int          `json:"schema"`
	Addresses []geoAddress `json:"addresses"`
}

type geoAddress struct {
	Address string      `json:"address"`
	Place   placeFields `json:"place"`   // what the log and the mails say
	Answers []geoAnswer `json:"answers"` // of each source, the most trusted first
}

type geoAnswer struct {
	Database string      `json:"database"`
	Path     string      `json:"path,omitempty"`
	Type     string      `json:"type,omitempty"`
	Built    time.Time   `json:"built,omitzero"`
	Address  string      `json:"address"` // that was looked up: the IPv4 address inside a translated one
	Network  string      `json:"network,omitempty"`
	Place    placeFields `json:"place"`
	Error    string      `json:"error,omitempty"`
}

type placeFields struct {
	CountryISO string    `json:"country_iso_code,omitempty"`
	Country    string    `json:"country_name,omitempty"`
	City       string    `json:"city_name,omitempty"`
	Location   *location `json:"location,omitempty"`
	ASNumber   uint32    `json:"as_number,omitempty"`
	ASName     string    `json:"as_name,omitempty"`
	Special    string    `json:"special,omitempty"` // "private", "documentation", ... instead of a country
	Database   string    `json:"database,omitempty"`
}

type location struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

func placeOf(p event.Place) placeFields {
	f := placeFields{
		CountryISO: p.CountryISO, Country: p.Country, City: p.City,
		ASNumber: p.ASNumber, ASName: p.ASName, Special: p.Special, Database: p.Database,
	}
	if p.HasCoordinates {
		f.Location = &location{p.Latitude, p.Longitude}
	}
	return f
}

// describe asks every source, and then for what they give together:
// ipstack's answer is known by then.
func describe(ctx context.Context, locator *geo.Locator, addr netip.Addr) geoAddress {
	ctx, cancel := context.WithTimeout(ctx, geoPatience)
	defer cancel()
	out := geoAddress{Address: addr.String(), Answers: []geoAnswer{}}
	for _, a := range locator.Describe(ctx, addr) {
		answer := geoAnswer{
			Database: a.Database, Path: a.Path, Type: a.Type, Built: stamp(a.Built),
			Address: a.Address.String(), Place: placeOf(a.Place),
		}
		if a.Network.IsValid() {
			answer.Network = a.Network.String()
		}
		if a.Err != nil {
			answer.Error = fmt.Sprint(a.Err)
		}
		out.Answers = append(out.Answers, answer)
	}
	out.Place = placeOf(locator.Locate(addr))
	return out
}
