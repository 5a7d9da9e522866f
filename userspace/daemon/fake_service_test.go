// SPDX-License-Identifier: MIT

package daemon

import (
	"strings"
	"sync"
)

// fakeService remembers what it was told.
type fakeService struct {
	mu   sync.Mutex
	told []string
}

func (s *fakeService) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, what)
}

func (s *fakeService) Ready(status string) { s.add("ready: " + status) }
func (s *fakeService) Reloading()          { s.add("reloading") }
func (s *fakeService) Stopping()           { s.add("stopping") }
func (s *fakeService) Alive()              { s.add("alive") }

func (s *fakeService) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.told, "\n")
}
