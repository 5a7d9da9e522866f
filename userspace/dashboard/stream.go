// SPDX-License-Identifier: MIT

package dashboard

import (
	"net/http"
	"time"
)

// nowAnswer is the live table for who asks once.
type nowAnswer struct {
	change
	Pulse pulse `json:"pulse"`
}

func (s *Server) now(http.ResponseWriter, *http.Request) (any, error) {
	table, p := s.hub.table()
	return nowAnswer{table, p}, nil
}

// stream sends server-sent events until the session ends: the pulse and,
// with rows=1, the whole table and then what changes.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) (any, error) {
	own := sessionOf(r)
	sub, err := s.hub.subscribe(r.URL.Query().Get("rows") == "1")
	if err != nil {
		return nil, err
	}
	if sub == nil {
		return nil, &apiError{Status: http.StatusServiceUnavailable, Message: "too many open pages"}
	}
	defer s.hub.unsubscribe(sub)
	control := http.NewResponseController(w)
	// The limit for reading the request would end the stream too. A peer
	// that is gone is noticed by writing.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		next := []byte(": beat\n\n")
		select {
		case <-r.Context().Done():
			return nil, nil
		case <-own.gone:
			return nil, nil
		case <-ticker.C:
			s.sessions.tidy()
		case message, ok := <-sub.out:
			if !ok {
				return nil, nil
			}
			next = message
		}
		// One write may take so long, the stream as a whole may last.
		if control.SetWriteDeadline(time.Now().Add(writeLimit)) != nil {
			return nil, nil
		}
		if _, err := w.Write(next); err != nil {
			return nil, nil
		}
		if control.Flush() != nil {
			return nil, nil
		}
	}
}

// healthAnswer is the health page.
type healthAnswer struct {
	Health
	Counters []Counter   `json:"counters"`
	Lost     []lossCount `json:"lost"`
	Pulse    pulse       `json:"pulse"`
}

type lossCount struct {
	Stage string `json:"stage"`
	Count uint64 `json:"count"`
}

func (s *Server) health(_ http.ResponseWriter, r *http.Request) (any, error) {
	_, p := s.hub.table()
	answer := healthAnswer{Counters: []Counter{}, Lost: []lossCount{}, Pulse: p}
	if s.opts.Monitor == nil {
		return answer, nil
	}
	var err error
	if answer.Health, err = s.opts.Monitor.Health(r.Context()); err != nil {
		return nil, err
	}
	counters, err := s.opts.Monitor.Counters()
	if err != nil {
		return nil, err
	}
	lost := map[string]uint64{"page": s.hub.lost.Load()}
	order := []string{}
	for _, c := range counters {
		if c.Verdict != "lost" {
			answer.Counters = append(answer.Counters, c)
			continue
		}
		name := "kernel " + c.Reason + "s"
		if _, ok := lost[name]; !ok {
			order = append(order, name)
		}
		lost[name] += c.Packets
	}
	for _, l := range answer.Health.Lost {
		if _, ok := lost[l.Stage]; !ok {
			order = append(order, l.Stage)
		}
		lost[l.Stage] += l.Count
	}
	for _, name := range append(order, "page") {
		answer.Lost = append(answer.Lost, lossCount{name, lost[name]})
	}
	return answer, nil
}
