// SPDX-License-Identifier: MIT

package main

import "testing"

// The page places coordinates itself; TestMapPlaces of package dashboard
// wants the same points.
func TestProject(t *testing.T) {
	for p, want := range map[point][2]int{
		{lat: 51.5, lon: -0.25}:  {999, 126},
		{lat: -33.9, lon: 151.2}: {1771, 729},
		{lat: 19.4, lon: -99.1}:  {464, 339},
		{lat: 60, lon: 179}:      {1749, 81},
	} {
		if got := project(p); got != want {
			t.Errorf("%+v is at %v, want %v", p, got, want)
		}
	}
}
