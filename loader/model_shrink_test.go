// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// shrink leaves out whatever is not needed for a difference.
func (l *modelLab) shrink(steps []step) []step {
	at, _ := l.replay(steps)
	steps = append([]step(nil), steps[:at+1]...)
	differs := func(steps []step) bool {
		at, _ := l.replay(steps)
		return at >= 0
	}
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(steps); {
			fewer := append([]step(nil), steps[:from]...)
			fewer = append(fewer, steps[from+size:]...)
			later := append([]step(nil), fewer...)
			if from < len(later) {
				for _, s := range steps[from : from+size] {
					later[from].wait += s.wait
				}
			}
			switch {
			case differs(fewer):
				steps = fewer
			case differs(later):
				steps = later
			default:
				from += size
			}
		}
	}
	for i, s := range steps {
		for _, wait := range []time.Duration{0, time.Second, time.Minute} {
			steps[i].wait = wait
			if s.wait <= wait || differs(steps) {
				break
			}
			steps[i].wait = s.wait
		}
		if s.wait < steps[i].wait {
			steps[i].wait = s.wait
		}
	}
	return steps
}

// goSource writes steps as Go.
func goSource(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "\t{")
		if s.wait > 0 {
			fmt.Fprintf(&b, "wait: %d /* %v */, ", s.wait, s.wait)
		}
		if s.toggle > 0 {
			fmt.Fprintf(&b, "toggle: %d},\n", s.toggle)
			continue
		}
		if s.settle {
			fmt.Fprintf(&b, "settle: true},\n")
			continue
		}
		fmt.Fprintf(&b, "via: %d, p: packet.TCP{", s.via)
		v := reflect.ValueOf(s.p)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				continue
			}
			name, value := v.Type().Field(i).Name, fmt.Sprintf("%#v", v.Field(i).Interface())
			switch field := v.Field(i).Interface().(type) {
			case netip.Addr:
				value = fmt.Sprintf("netip.MustParseAddr(%q)", field)
			case uint16:
				value = strconv.Itoa(int(field))
			}
			fmt.Fprintf(&b, "%s: %s, ", name, value)
		}
		fmt.Fprintf(&b, "}},\n")
	}
	return b.String()
}
