// SPDX-License-Identifier: MIT

package units

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"1s", time.Second},
		{"90m", 90 * time.Minute},
		{"8h", 8 * time.Hour},
		{"1d12h", 36 * time.Hour},
		{"2w", 14 * Day},
		{"1w2d3h4m5s", Week + 2*Day + 3*time.Hour + 4*time.Minute + 5*time.Second},
		{"10m0s", 10 * time.Minute}, // how package time writes ten minutes
		{"0h5m", 5 * time.Minute},
		{"007s", 7 * time.Second},
		{"36500d", MaxDuration},
	}
	for _, tt := range tests {
		got, err := ParseDuration(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "positive"},
		{"0s", "positive"},
		{"0", "no unit"},
		{"10", "no unit"},
		{"1h30", "no unit"},
		{"-5m", "positive"},
		{"+5m", "positive"},
		{"1.5h", "positive"},
		{"h", "positive"},
		{"5 m", "positive"},
		{" 5m", "positive"},
		{"5m ", "positive"},
		{"5M", "positive"},
		{"100ms", "positive"},
		{"1y", "positive"},
		{"1h1h", "each unit once"},
		{"30m8h", "each unit once"},
		{"36500d1s", "at most 36500d"},
		{"36501d", "at most 36500d"},
		{"9223372036854775807w", "at most 36500d"},
		{"92233720368547758070s", "positive"},
		{"\x00", "positive"},
		{"5m\n", "positive"},
		{strings.Repeat("9", 1<<20), "positive"},
	}
	for _, tt := range tests {
		got, err := ParseDuration(tt.in)
		if err == nil {
			t.Errorf("ParseDuration(%.20q) = %v, want an error", tt.in, got)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, tt.want) || strings.ContainsAny(text, "\n\x00") || len(text) > 250 {
			t.Errorf("ParseDuration(%.20q): %.300s, want one short line with %q", tt.in, text, tt.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	tests := []struct {
		in   time.Duration
		want string
	}{
		{0, "0s"},
		{time.Second, "1s"},
		{499 * time.Millisecond, "0s"},
		{1500 * time.Millisecond, "2s"},
		{10 * time.Minute, "10m"},
		{36 * time.Hour, "1d12h"},
		{90 * Day, "90d"},
		{Day + time.Second, "1d1s"},
		{-90 * time.Second, "-1m30s"},
		{math.MaxInt64, "106751d23h47m16s"},
		{math.MinInt64, "-106751d23h47m16s"},
	}
	for _, tt := range tests {
		if got := FormatDuration(tt.in); got != tt.want {
			t.Errorf("FormatDuration(%d) = %q, want %q", int64(tt.in), got, tt.want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"", "8h", "1d12h", "90m", "1w2d3h4m5s", "10", "-1s", "36500d", "36500d1s", "99999999999999999999w"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			if d != 0 || strings.Contains(err.Error(), "\n") {
				t.Errorf("ParseDuration(%q) = %v with error %q", s, d, err)
			}
			return
		}
		if d < time.Second || d > MaxDuration {
			t.Errorf("ParseDuration(%q) = %v, outside the documented range", s, d)
		}
		if back, err := ParseDuration(FormatDuration(d)); err != nil || back != d {
			t.Errorf("%q: %v is written as %q and read as %v, %v", s, d, FormatDuration(d), back, err)
		}
	})
}
