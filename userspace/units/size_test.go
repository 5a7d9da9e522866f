// SPDX-License-Identifier: MIT

package units

import (
	"math"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		in   string
		want int64
	}{
		{"1B", 1},
		{"50MB", 50_000_000},
		{"50 MB", 50_000_000},
		{"50mb", 50_000_000},
		{"1GB", 1_000_000_000},
		{"3TB", 3_000_000_000_000},
		{"7KB", 7000},
		{"512KiB", 524288},
		{"512kib", 524288},
		{"2MiB", 2 << 20},
		{"1GiB", 1 << 30},
		{"8388607TiB", 8388607 << 40},
		{"9223372036854775807B", math.MaxInt64},
	}
	for _, tt := range tests {
		got, err := ParseSize(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSizeRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "positive size"},
		{"0MB", "positive size"},
		{"50", "no unit"},
		{"50 ", "no unit"},
		{"MB", "positive size"},
		{"-1MB", "positive size"},
		{"1.5GB", "positive size"},
		{"50M", "positive size"},
		{"50  MB", "positive size"},
		{"50MB ", "positive size"},
		{"50MBB", "positive size"},
		{"8388608TiB", "at most 8388607TiB"},
		{"9223372036854775808B", "positive size"},
	}
	for _, tt := range tests {
		got, err := ParseSize(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseSize(%q) = %d, %v, want an error with %q", tt.in, got, err, tt.want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	tests := []struct {
		in   int64
		want string
	}{
		{0, "0B"},
		{1, "1B"},
		{1500, "1500B"},
		{7000, "7KB"},
		{524288, "512KiB"},
		{50_000_000, "50MB"},
		{1_000_000_000, "1GB"},
		{1 << 40, "1TiB"},
		{-7000, "-7KB"},
	}
	for _, tt := range tests {
		if got := FormatSize(tt.in); got != tt.want {
			t.Errorf("FormatSize(%d) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"", "50MB", "1 GiB", "512KiB", "99999999999TB", "1.5GB", "7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSize(s)
		if err != nil {
			return
		}
		if n < 1 {
			t.Errorf("ParseSize(%q) = %d, want a positive size", s, n)
		}
		if back, err := ParseSize(FormatSize(n)); err != nil || back != n {
			t.Errorf("%q: %d is written as %q and read as %d, %v", s, n, FormatSize(n), back, err)
		}
	})
}
