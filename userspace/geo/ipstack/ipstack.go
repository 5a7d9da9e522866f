// SPDX-License-Identifier: MIT

// Package ipstack asks the ipstack.com API where addresses are, in the
// background: Get answers from memory and queues what it does not know.
//
// The service sees every address that is asked for, and free plans allow
// a hundred questions a month. So answers are kept for a day, an IPv6 /64
// is one question, at most one request a second leaves, and after an
// error no request leaves for a while (Error.pause says how long).
//
// The access key travels in the URL, as the API demands. It never appears
// in an error or a report, and redirects, which would pass it on to
// another server, are not followed.
package ipstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"denmap/userspace/event"
)

const (
	// DefaultEndpoint is the API's public address; every plan has https.
	DefaultEndpoint = "https://api.ipstack.com"

	answerTTL      = 24 * time.Hour
	nothingTTL     = 6 * time.Hour   // for addresses that the service knows nothing about
	maxAnswers     = 4096            // some 1 MiB
	maxQueued      = 64              // about a minute's worth
	interval       = time.Second     // between two requests
	requestTimeout = 5 * time.Second // for one request, body included
)

// ErrPaused is wrapped by Ask while requests are held back after an
// error; the text names that error.
var ErrPaused = errors.New("ipstack is paused")

// Options say how to reach the service. Key is required.
type Options struct {
	Key      string
	Endpoint string           // "" is DefaultEndpoint
	Client   *http.Client     // nil is a client of its own; never changed, never told to follow redirects
	Clock    func() time.Time // nil is time.Now
	Report   func(string)     // one line for the administrator; nil is nobody. Called from Run and Ask.
}

// Source is a client with its memory. All methods are safe for concurrent
// use; none but Ask and Run waits for the network.
type Source struct {
	key    string
	base   url.URL
	client *http.Client
	clock  func() time.Time
	report func(string)
	sleep  func(context.Context, time.Duration) error
	queue  chan netip.Addr

	mu       sync.Mutex
	answers  map[netip.Addr]answer
	pending  map[netip.Addr]struct{} // queued or being asked
	next     time.Time               // the earliest time of the next request
	until    time.Time               // requests are held back until then
	cause    error                   // why
	failures int                     // since the last success
}

// answer is what the service said; an empty place means it knows nothing.
type answer struct {
	place   event.Place
	expires time.Time
}

// New returns a Source, or an error about the key or the endpoint. It
// sends nothing; start Run to have queued questions asked.
func New(o Options) (*Source, error) {
	if err := checkKey(o.Key); err != nil {
		return nil, err
	}
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	base, err := url.Parse(o.Endpoint)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("parse ipstack endpoint %q: want https://host", o.Endpoint)
	}
	s := &Source{
		key: o.Key, base: *base, clock: o.Clock, report: o.Report, sleep: sleep,
		queue:   make(chan netip.Addr, maxQueued),
		answers: make(map[netip.Addr]answer),
		pending: make(map[netip.Addr]struct{}),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.report == nil {
		s.report = func(string) {}
	}
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = &client
	return s, nil
}

// unit is the address that stands for addr in memory: hosts choose the
// lower half of an IPv6 address freely, so a /64 is one question.
func unit(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr()
}

// Get returns what the service has said about addr within the last day.
// If that is nothing yet, it queues the question and returns false at
// once; a full queue or a pause drops the question, to be asked when the
// address is next seen.
func (s *Source) Get(addr netip.Addr) (event.Place, bool) {
	key := unit(addr)
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.answers[key]; ok && now.Before(a.expires) {
		return a.place, true
	}
	if _, ok := s.pending[key]; ok || now.Before(s.until) {
		return event.Place{}, false
	}
	select {
	case s.queue <- addr:
		s.pending[key] = struct{}{}
	default:
	}
	return event.Place{}, false
}

// Run asks queued questions, one at a time, until ctx ends.
func (s *Source) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case addr := <-s.queue:
			// What came of it is in memory, and reported if it matters.
			_, _ = s.Ask(ctx, addr)
			s.mu.Lock()
			delete(s.pending, unit(addr))
			s.mu.Unlock()
		}
	}
}

// Ask returns what is remembered about addr or else asks the service,
// within ctx and five seconds. Requests are a second apart; Ask waits for
// its turn. During a pause it fails with ErrPaused.
func (s *Source) Ask(ctx context.Context, addr netip.Addr) (event.Place, error) {
	now := s.clock()
	s.mu.Lock()
	a, ok := s.answers[unit(addr)]
	until, cause := s.until, s.cause
	turn := s.next
	if turn.Before(now) {
		turn = now
	}
	if ok && now.Before(a.expires) {
		s.mu.Unlock()
		return a.place, nil
	}
	if now.Before(until) {
		s.mu.Unlock()
		return event.Place{}, fmt.Errorf("%w: %w", ErrPaused, cause)
	}
	s.next = turn.Add(interval)
	s.mu.Unlock()

	if err := s.sleep(ctx, turn.Sub(now)); err != nil {
		return event.Place{}, err
	}
	reqCtx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	place, err := s.request(reqCtx, addr)
	if ctx.Err() != nil {
		return event.Place{}, ctx.Err() // shutting down says nothing about the service
	}
	s.settle(addr, place, err)
	return place, err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
