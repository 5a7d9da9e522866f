// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// maxUndos bounds the changes that can be taken back.
const maxUndos = 256

// undos are the changes that can be taken back, once each.
type undos struct {
	now func() time.Time

	mu    sync.Mutex
	kept  map[string]undo
	order []string // oldest first
}

type undo struct {
	message string // afterwards
	ends    time.Time
	do      func(context.Context) error
}

func newUndos(now func() time.Time) *undos {
	return &undos{now: now, kept: make(map[string]undo)}
}

// keep returns the name under which do can be called.
func (u *undos) keep(message string, do func(context.Context) error) (string, error) {
	name, _, err := newSecret()
	if err != nil {
		return "", err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.order) >= maxUndos {
		delete(u.kept, u.order[0])
		u.order = u.order[1:]
	}
	u.kept[name] = undo{message: message, ends: u.now().Add(undoLife), do: do}
	u.order = append(u.order, name)
	return name, nil
}

func (u *undos) take(name string) (undo, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, ok := u.kept[name]
	delete(u.kept, name) // its place in order goes in time
	return found, ok && u.now().Before(found.ends)
}

type undoRequest struct {
	Undo string `json:"undo"`
}

func (s *Server) undo(_ http.ResponseWriter, r *http.Request) (any, error) {
	var req undoRequest
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	found, ok := s.undos.take(req.Undo)
	if !ok {
		return nil, &apiError{Status: http.StatusNotFound, Message: "this cannot be undone any more"}
	}
	if err := found.do(r.Context()); err != nil {
		return nil, err
	}
	s.hub.nudge()
	return done{Message: "undone: " + found.message}, nil
}
