// SPDX-License-Identifier: MIT

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/store/safefile"
)

const (
	servicesSchema = 1
	// maxServicesSize leaves room for every port of TCP and UDP.
	maxServicesSize = 16 << 20
)

// Services is the file of the services that this host had of late,
// services.json in state_dir: after a reboot their clients still ask for
// them. The file is replaced atomically; a new one gets mode 0600.
type Services struct{ path string }

// NewServices returns the file at path, which need not exist.
func NewServices(path string) *Services { return &Services{path} }

type servicesDocument struct {
	Schema   int             `json:"schema"`
	Services []serviceRecord `json:"services"`
}

type serviceRecord struct {
	Transport string    `json:"transport"` // tcp or udp
	Port      uint16    `json:"port"`
	Seen      time.Time `json:"seen"`
}

// Load returns what the file holds; a missing one holds nothing. An error
// wraps ErrCorrupt or ErrNewerSchema where that is what it is about; the
// file stays as it is, and is not worth more than a line about it.
func (s *Services) Load() ([]event.Service, error) {
	data, err := safefile.Read(s.path, maxServicesSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	services, err := decodeServices(data)
	if err != nil {
		return nil, fmt.Errorf("read services %q: %w", s.path, err)
	}
	return services, nil
}

func decodeServices(data []byte) ([]event.Service, error) {
	var doc servicesDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if doc.Schema > servicesSchema {
		return nil, fmt.Errorf("%w: schema %d, expected at most %d", ErrNewerSchema, doc.Schema, servicesSchema)
	}
	services := make([]event.Service, len(doc.Services))
	for i, r := range doc.Services {
		if r.Transport != "tcp" && r.Transport != "udp" || r.Port == 0 || r.Seen.IsZero() {
			return nil, fmt.Errorf("%w: service %d is %s port %d at %v", ErrCorrupt, i+1, r.Transport, r.Port, r.Seen)
		}
		services[i] = event.Service{UDP: r.Transport == "udp", Port: r.Port, Seen: r.Seen}
	}
	return services, nil
}

// Save makes services the content of the file, whatever it held before.
func (s *Services) Save(ctx context.Context, services []event.Service) (err error) {
	doc := servicesDocument{Schema: servicesSchema, Services: make([]serviceRecord, len(services))}
	for i, service := range services {
		doc.Services[i] = serviceRecord{Transport: "tcp", Port: service.Port, Seen: service.Seen.UTC().Truncate(time.Second)}
		if service.UDP {
			doc.Services[i].Transport = "udp"
		}
	}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(doc); err != nil {
		return fmt.Errorf("write services %q: %w", s.path, err)
	}
	file, err := safefile.Lock(ctx, s.path, lockWait, dirMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.Replace(out.Bytes(), bansMode)
}
