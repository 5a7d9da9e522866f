// SPDX-License-Identifier: MIT

package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// bansSchema is the version of the document. A change that an older
// version would misread gets a new number; fields that it may ignore do
// not.
const bansSchema = 1

// bansDocument is the content of bans.json.
type bansDocument struct {
	Schema int         `json:"schema"`
	Bans   []banRecord `json:"bans"`
}

type banRecord struct {
	Source  netip.Prefix `json:"source"`
	Grade   string       `json:"grade"`
	Since   time.Time    `json:"since,omitzero"`
	Until   time.Time    `json:"until,omitzero"` // missing: without end
	Reason  string       `json:"reason,omitempty"`
	Dropped uint64       `json:"dropped,omitempty"`
}

// EncodeBans writes bans as the document of bans.json.
func EncodeBans(bans []event.Ban) ([]byte, error) {
	doc := bansDocument{Schema: bansSchema, Bans: make([]banRecord, len(bans))}
	for i, ban := range bans {
		if !validSource(ban.Source) {
			return nil, fmt.Errorf("ban %d of %d: source %q: expected a network without host bits", i+1, len(bans), ban.Source)
		}
		doc.Bans[i] = banRecord{
			Source: ban.Source, Grade: ban.Grade.String(), Reason: ban.Reason, Dropped: ban.Dropped,
			Since: ban.Since.UTC(), Until: ban.Until.UTC(),
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// DecodeBans reads what EncodeBans writes. Errors wrap ErrCorrupt or
// ErrNewerSchema.
func DecodeBans(data []byte) ([]event.Ban, error) {
	// The number comes first: what else a newer document holds is not for
	// this version to judge.
	var version struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	switch {
	case version.Schema > bansSchema:
		return nil, fmt.Errorf("%w: schema %d, expected at most %d", ErrNewerSchema, version.Schema, bansSchema)
	case version.Schema < 1:
		return nil, fmt.Errorf("%w: no schema number", ErrCorrupt)
	}
	var doc bansDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if doc.Bans == nil {
		return nil, fmt.Errorf("%w: no list of bans", ErrCorrupt)
	}
	bans := make([]event.Ban, len(doc.Bans))
	for i, r := range doc.Bans {
		grade, ok := event.ParseGrade(r.Grade)
		switch {
		case !validSource(r.Source):
			return nil, fmt.Errorf("%w: ban %d has the source %q", ErrCorrupt, i+1, r.Source)
		case !ok:
			return nil, fmt.Errorf("%w: ban %d has the unknown grade %q", ErrCorrupt, i+1, r.Grade)
		}
		bans[i] = event.Ban{
			Source: r.Source, Grade: grade, Since: r.Since.UTC(), Until: r.Until.UTC(),
			Reason: r.Reason, Dropped: r.Dropped,
		}
	}
	return bans, nil
}

// validSource is the one rule for what is written and what is read, so that
// no file is written that would be called corrupt.
func validSource(p netip.Prefix) bool {
	return p.IsValid() && p == p.Masked() && !p.Addr().Is4In6()
}
