// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"denmap/bpf"
	"denmap/userspace/event"
)

const (
	listenerSize = int(unsafe.Sizeof(bpf.ScanListener{}))
	udpOffset    = 1 << 16 // LISTENED_UDP of bpf/maps.h
	// serviceMemory is SERVICE_MEMORY_S of bpf/outcome.h.
	serviceMemory = 24 * time.Hour
)

// NoteServices has the program spare those who ask for these services when
// they are gone. The latest note of a service counts; one of more than a
// day ago is left out.
func (s *State) NoteServices(services []event.Service) error {
	table, err := s.maps["listened"].Memory()
	if err != nil {
		return fmt.Errorf("note services: %w", err)
	}
	now := readClock()
	for _, service := range services {
		age := max(0, now.wall.Sub(service.Seen))
		if service.Seen.IsZero() {
			age = 0
		}
		if age >= serviceMemory {
			continue
		}
		index := int64(service.Port)
		if service.UDP {
			index += udpOffset
		}
		// Before the boot if need be: the program counts modulo 2^32.
		second := uint32(int64(now.boot/1e9)+1) - uint32(age/time.Second)
		if second == 0 {
			second = 1 // 0 is never
		}
		// The field alone: the program writes the other one.
		if _, err := table.WriteAt(binary.NativeEndian.AppendUint32(nil, second), index*int64(listenerSize)); err != nil {
			return fmt.Errorf("note services: %w", err)
		}
	}
	return nil
}

// Services returns the services of the last day and when each was last
// there, to a minute.
func (s *State) Services() ([]event.Service, error) {
	table, err := s.maps["listened"].Memory()
	if err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	content := make([]byte, table.Size())
	if _, err := table.ReadAt(content, 0); err != nil {
		return nil, fmt.Errorf("read services: %w", err)
	}
	now := readClock()
	var out []event.Service
	for i := range 2 * udpOffset {
		second := binary.NativeEndian.Uint32(content[i*listenerSize:])
		age := time.Duration(uint32(now.boot/1e9)+1-second) * time.Second
		if second == 0 || age >= serviceMemory {
			continue
		}
		out = append(out, event.Service{UDP: i >= udpOffset, Port: uint16(i), Seen: now.wall.Add(-age)})
	}
	return out, nil
}
