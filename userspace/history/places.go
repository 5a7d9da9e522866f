// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
)

// Places counts the scans that were going on in the range by the
// coordinates of their sources, most scans first. Scans whose database knew
// none are left out. limit is as Filter.Limit.
func (r *Reader) Places(ctx context.Context, in Range, limit int) ([]PlaceTotal, error) {
	text, args := placeStatement(in, bounded(limit))
	var totals []PlaceTotal
	err := r.query(ctx, text, args, func(rows *sql.Rows) error {
		var t PlaceTotal
		err := rows.Scan(&t.Latitude, &t.Longitude, &t.ISO, &t.Scans, &t.Sources, &t.Banned, &t.City)
		totals = append(totals, t)
		return err
	})
	return totals, err
}

// placeStatement counts in the index alone, and looks up names for what is
// returned only.
func placeStatement(in Range, limit int) (text string, args []any) {
	var c conditions
	c.add("latitude IS NOT NULL")
	c.during(in)
	return `SELECT latitude, longitude, country, scans, sources, banned,
(SELECT city FROM scans INDEXED BY scans_place WHERE latitude = counted.latitude AND longitude = counted.longitude AND country = counted.country LIMIT 1)
FROM (SELECT latitude, longitude, country, count(*) AS scans, count(DISTINCT addr) AS sources, sum(action = 2) AS banned
FROM scans INDEXED BY scans_place WHERE ` + c.String() + `
GROUP BY latitude, longitude, country ORDER BY scans DESC, latitude, longitude LIMIT ?) AS counted
ORDER BY scans DESC, latitude, longitude`, append(c.args, limit)
}
