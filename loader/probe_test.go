// SPDX-License-Identifier: MIT

package loader

import (
	"strings"
	"testing"
)

// TestRequirements: this kernel has everything, and the helpers without
// which there would be no outcome are among what was asked for.
func TestRequirements(t *testing.T) {
	found, err := Requirements()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range found {
		names = append(names, r.Name)
		if r.Missing || r.Err != nil {
			t.Errorf("%+v", r)
		}
	}
	all := strings.Join(names, "\n")
	for _, want := range []string{"helper FnSkcLookupTcp", "helper FnSkLookupUdp", "map type RingBuf", "map type LPMTrie", "program type XDP"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestTryLoad(t *testing.T) {
	if frags, err := TryLoad(enforcing().Settings); err != nil || !frags {
		t.Errorf("got %v, %v; want a program with frags", frags, err)
	}
	bad := enforcing().Settings
	bad.Decay = 0
	if _, err := TryLoad(bad); err == nil {
		t.Error("bad settings were loaded")
	}
}
