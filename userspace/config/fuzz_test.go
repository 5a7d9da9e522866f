// SPDX-License-Identifier: MIT

package config

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad asks of any file: no panic; either problems, each on one line,
// or a Config that is written and read back unchanged.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(Example()))
	for _, seed := range []string{
		"", "mode: monitor\n", "interfaces: [eth0, {name: 'wg*', xdp: generic, mode: monitor}]",
		"detect: {ban_score: many, decay: 1h30m, ignore_ports: [22, 6000-6100]}",
		"mail: {host: mx.example.org, to: [a@example.org], username: 007, password_file: /p}",
		"a: &a [*a]\nlists: *a\n", "? {a: b}\n: c", "<<: *x", "mode: !!binary aGk=", "---\n---\n", "mode: |\n  x\n y", "\t\x00\xff",
		"mode: monitor\nmode: monitor\n", "log: {max_size: 1 GB, also: [journal]}", "%YAML 1.1\n---\nmode: monitor\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse([]Source{{"fuzz.yaml", data}})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || len(e.Problems) == 0 {
				t.Fatalf("not an *Error: %v", err)
			}
			last := 0
			for _, p := range e.Problems {
				if p.Line < last || p.Line < 1 || p.Line > 1+bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+bytes.Count(data, []byte("\u2028"))+bytes.Count(data, []byte("\u2029"))+bytes.Count(data, []byte("\u0085")) {
					t.Errorf("line %d after %d: %v", p.Line, last, p)
				}
				last = p.Line
				if strings.ContainsAny(p.String(), "\n\r\x00") || len(p.String()) > 1500 {
					t.Errorf("not one short line: %q", p.String())
				}
			}
			return
		}
		out, err := Marshal(c)
		if err != nil {
			t.Fatalf("accepted, but not written: %v", err)
		}
		back, err := Parse([]Source{{"back", out}})
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("got %+v, %v\nwant %+v\nfrom\n%s", back, err, c, out)
		}
	})
}
