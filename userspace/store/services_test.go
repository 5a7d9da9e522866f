// SPDX-License-Identifier: MIT

package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestServicesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "services.json")
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []event.Service{{Port: 80, Seen: seen}, {UDP: true, Port: 53, Seen: seen}}
	if got, err := NewServices(path).Load(); err != nil || got != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	if err := NewServices(path).Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := NewServices(path).Load(); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestServicesThatMakeNoSense(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	for text, want := range map[string]error{
		"{":            ErrCorrupt,
		`{"schema":2}`: ErrNewerSchema,
		`{"schema":1,"services":[{"transport":"tcp","port":80}]}`:                                  ErrCorrupt,
		`{"schema":1,"services":[{"transport":"icmp","port":80,"seen":"2026-01-02T03:04:05Z"}]}`:   ErrCorrupt,
		`{"schema":1,"services":[{"transport":"tcp","port":0,"seen":"2026-01-02T03:04:05Z"}]}`:     ErrCorrupt,
		`{"schema":1,"services":[{"transport":"udp","port":70000,"seen":"2026-01-02T03:04:05Z"}]}`: ErrCorrupt,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewServices(path).Load(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}
