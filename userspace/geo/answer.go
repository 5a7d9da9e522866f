// SPDX-License-Identifier: MIT

package geo

import (
	"context"
	"net/netip"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/geo/countrydb"
)

// Answer is what one source knows of an address, for `denmap geo`.
type Answer struct {
	Database string       // file name, BuiltIn, IPStack or IANA
	Path     string       // of the file; empty for the others
	Type     string       // what the database calls itself
	Built    time.Time    // zero if unknown
	Address  netip.Addr   // what was looked up: for a tunnelled or translated address the IPv4 address inside
	Network  netip.Prefix // the prefix that the answer holds for; invalid if unknown
	Place    event.Place  // without Database; the zero value if the address is not listed
	Err      error        // why there is no answer
}

// Describe asks every source about addr, ipstack included, and returns
// their answers in the order in which Locate merges them; for an address
// set aside for a special use that fact comes last and replaces ipstack
// and the built-in database. It takes as long as ctx allows: it is for
// people, not for the event path.
func (l *Locator) Describe(ctx context.Context, addr netip.Addr) []Answer {
	if !addr.IsValid() {
		return nil
	}
	addr = locatable(addr)
	var answers []Answer
	for _, f := range *l.files.Load() {
		answers = append(answers, ask(ctx, f, addr))
	}
	if label, network := specialUse(addr); label != "" {
		return append(answers, Answer{
			Database: IANA, Type: "special-purpose address registry",
			Address: addr, Network: network, Place: event.Place{Special: label},
		})
	}
	if online := l.online.Load(); online != nil {
		a := Answer{Database: IPStack, Address: addr}
		a.Place, a.Err = online.Ask(ctx, addr)
		a.Place = tidy(a.Place)
		answers = append(answers, a)
	}
	if l.builtIn != nil {
		answers = append(answers, ask(ctx, l.builtIn, addr))
	}
	return answers
}

func ask(ctx context.Context, s source, addr netip.Addr) Answer {
	done := make(chan Answer, 1)
	go func() {
		a := s.describe()
		a.Address = addr
		a.Place, a.Network, a.Err = s.lookup(addr)
		done <- a
	}()
	select {
	case a := <-done:
		return a
	case <-ctx.Done():
		a := s.describe()
		a.Address, a.Err = addr, ctx.Err()
		return a
	}
}

// builtIn is the built-in database as a source.
type builtIn struct{ db *countrydb.DB }

func (b builtIn) describe() Answer {
	return Answer{Database: BuiltIn, Type: countrydb.Attribution, Built: b.db.Built()}
}

func (b builtIn) lookup(addr netip.Addr) (event.Place, netip.Prefix, error) {
	code, network := b.db.Lookup(addr)
	return tidy(event.Place{CountryISO: code}), network, nil
}
