// SPDX-License-Identifier: MIT

package config

import (
	"errors"
	"testing"
	"time"
)

func TestSalvage(t *testing.T) {
	sources := []Source{{"denmap.yaml", []byte("state_dir: /srv/denmap\ndetect: {decay: 2h, ban_skore: 9}\nlog: {path: 7x}\n")}}
	c, err := Salvage(sources)
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want the problems", err)
	}
	if c.StateDir != "/srv/denmap" || c.Detect.Decay != 2*time.Hour || c.Log.Path != Default().Log.Path || c.Detect.BanScore != Default().Detect.BanScore {
		t.Errorf("salvaged %+v", c)
	}
	if _, err := Salvage(nil); err != nil {
		t.Errorf("nothing to salvage: %v", err)
	}
}

func TestByteOrderMark(t *testing.T) {
	c, err := Parse([]Source{{"denmap.yaml", []byte("\uFEFFmode: monitor\n")}})
	if err != nil || c.Mode != Monitor {
		t.Errorf("mode %q, %v", c.Mode, err)
	}
}
