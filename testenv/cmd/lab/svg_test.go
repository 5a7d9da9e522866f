// SPDX-License-Identifier: MIT

package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestPicture(t *testing.T) {
	s := &session{}
	s.add("attacker", "nmap <host>", "\nNot shown: 1000 & more\n")
	s.add("victim", "denmap log", strings.Repeat("x", 200)+strings.Repeat("\nline", 20))
	got := s.svg()
	for d := xml.NewDecoder(strings.NewReader(got)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, got)
		}
	}
	for _, want := range []string{"nmap &lt;host&gt;", "Not\u00a0shown:\u00a01000\u00a0&amp;\u00a0more", "...\u00a07\u00a0more\u00a0lines", strings.Repeat("x", 149) + "..."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if want := fmt.Sprintf(`height="%d"`, 2*margin+19*lineHeight); !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
}
