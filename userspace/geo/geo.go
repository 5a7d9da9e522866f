// SPDX-License-Identifier: MIT

// Package geo says where addresses are: country, city, coordinates and
// autonomous system, from MMDB files that the user lists (GeoLite2,
// GeoIP2, DB-IP, IPinfo, ip-location-db), from ipstack.com if a key is
// given, and from a country database that is built in.
//
// The sources are asked in this order: listed files as listed, ipstack,
// built-in. Each adds what those before it left open, but a city only in
// the country that is already known. Addresses of the IANA
// special-purpose registries (private, documentation and so on) say so
// instead of a country, unless a listed file explicitly has one for them;
// they are never sent to ipstack. An IPv4 address inside an IPv6 one
// (NAT64, 6to4, Teredo, mapped) is located by the IPv4 address.
//
// Nothing here holds up its caller: files are asked within a time limit,
// the network only in the background, and what fails leaves an empty or
// partial Place.
package geo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"denmap/userspace/geo/countrydb"
	"denmap/userspace/geo/ipstack"
)

// Attribution must accompany the built-in database wherever it goes, for
// example in the output of `denmap version`.
const Attribution = countrydb.Attribution

const (
	defaultPoll   = 2 * time.Second
	defaultBudget = 50 * time.Millisecond
	slowReports   = 10 * time.Minute // at most one line about slow files in this time
)

// Options say what to ask. The zero value uses the built-in database
// alone.
type Options struct {
	Databases      []string         // paths of MMDB files, most trusted first
	CacheDir       string           // where private copies of them go, unnamed; "" maps the files themselves (see below)
	IPStackKeyFile string           // "" leaves ipstack off
	Endpoint       string           // of ipstack; "" is ipstack.DefaultEndpoint
	HTTPClient     *http.Client     // for ipstack; nil is a client of its own
	Clock          func() time.Time // nil is time.Now
	Poll           time.Duration    // how often the files are looked at; 0 is 2 s, negative never
	Budget         time.Duration    // what Locate may wait for the files; 0 is 50 ms
	Report         func(string)     // one line for the administrator, from any goroutine, must not block; nil is nobody
}

// Locator answers where addresses are. All methods are safe for
// concurrent use.
//
// With CacheDir a listed file may be replaced in any way, overwriting in
// place included, and the old data stays in force until the new is whole.
// Without it, or when the copy does not fit, that holds for renaming
// (as geoipupdate does) only; a file that is overwritten in place then
// gives wrong or no answers until it has been loaded again.
type Locator struct {
	opts    Options
	builtIn source // nil if it could not be decoded
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	files  atomic.Pointer[[]source] // never changed, only replaced
	online atomic.Pointer[ipstack.Source]
	stuck  atomic.Int32 // look-ups in files that outlasted their budget and go on
	toldAt atomic.Int64 // when slow files were last reported, in Unix seconds

	mu         sync.Mutex // for what loading changes
	listed     []*listed
	key        string
	stopOnline context.CancelFunc
}

// Open opens every source. It always returns a Locator that works with
// what could be opened; err joins one single-line error for each source
// that could not (errors.Join: Unwrap() []error lists them). A listed
// file that is missing or broken is tried again when it changes. Close
// the Locator to stop its goroutines.
func Open(o Options) (*Locator, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	if o.Budget == 0 {
		o.Budget = defaultBudget
	}
	l := &Locator{opts: o}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.files.Store(&[]source{})
	var errs []error
	if db, err := countrydb.BuiltIn(); err != nil {
		errs = append(errs, fmt.Errorf("open built-in database: %w", err))
	} else {
		l.builtIn = builtIn{db}
	}
	for _, path := range o.Databases {
		l.listed = append(l.listed, &listed{path: path})
	}
	errs = append(errs, l.reload()...)
	if len(l.listed) > 0 && o.Poll > 0 {
		l.running.Go(l.watch)
	}
	return l, errors.Join(errs...)
}

// Reload reads the key file again, ends a pause of ipstack, and loads
// listed files that have changed without waiting for the next look at
// them. Sources that cannot be read stay as they were; err joins one
// error for each. It waits for the disk; look-ups meanwhile do not.
func (l *Locator) Reload() error { return errors.Join(l.reload()...) }

func (l *Locator) reload() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.listed {
		errs = append(errs, l.refresh(f))
	}
	l.publish()
	return append(errs, l.startOnline())
}

// startOnline follows the key file; the caller holds the lock.
func (l *Locator) startOnline() error {
	if l.opts.IPStackKeyFile == "" {
		return nil
	}
	key, exposed, err := ipstack.ReadKey(l.opts.IPStackKeyFile)
	if err != nil {
		return err
	}
	if exposed {
		l.report(fmt.Sprintf("ipstack key file %q can be read by everybody; chmod o-r it", l.opts.IPStackKeyFile))
	}
	if old := l.online.Load(); old != nil && key == l.key {
		old.Resume()
		return nil
	}
	online, err := ipstack.New(ipstack.Options{
		Key: key, Endpoint: l.opts.Endpoint, Client: l.opts.HTTPClient,
		Clock: l.opts.Clock, Report: l.report,
	})
	if err != nil {
		return err
	}
	if l.stopOnline != nil {
		l.stopOnline()
	}
	var ctx context.Context
	ctx, l.stopOnline = context.WithCancel(l.ctx)
	l.running.Go(func() { online.Run(ctx) })
	l.key = key
	l.online.Store(online)
	return nil
}

// Close stops the goroutines. Look-ups go on to work, with what is
// loaded. It may be called twice and returns within a second even if a
// disk hangs.
func (l *Locator) Close() error {
	l.stop()
	done := make(chan struct{})
	go func() {
		l.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(time.Second):
		return errors.New("close geo databases: a file does not answer")
	}
}

func (l *Locator) report(line string) {
	if l.opts.Report != nil {
		l.opts.Report("geo: " + line)
	}
}
