// SPDX-License-Identifier: MIT

package daemon

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// pulseLimit is how many seconds a worker may be busy with one thing before
// that is told: a disk that hangs holds it up, and nothing else notices.
const pulseLimit = 30

// workers are those that may hang on a disk, by what they do, with what is
// amiss meanwhile. The main loop has the supervisor's watchdog; an event
// reader that ends takes the daemon along, and a tracker that lags behind
// shows in the queue.
var workers = map[string]string{
	"list files":   "changes of them are not in force",
	"saved bans":   "bans are not saved, nor their ends logged",
	"services":     "new services of this host are not noted",
	"kernel table": "full tables are not told of",
}

// pulses count the seconds since each worker last came round. They may be
// used by several goroutines.
type pulses struct {
	mu      sync.Mutex
	seconds map[string]int
}

// beat is called by a worker each time it comes round.
func (p *pulses) beat(worker string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seconds == nil {
		p.seconds = make(map[string]int)
	}
	p.seconds[worker] = 0
}

// tick is called every second. It returns the workers that have come round
// since their last beat was told as late, and those that are late.
func (p *pulses) tick() (fine, late []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, worker := range slices.Sorted(maps.Keys(p.seconds)) {
		p.seconds[worker]++
		if p.seconds[worker] > pulseLimit {
			late = append(late, worker)
		} else {
			fine = append(fine, worker)
		}
	}
	return fine, late
}

// checkPulses tells of workers that hang.
func (d *daemon) checkPulses() {
	fine, late := d.pulses.tick()
	for _, worker := range fine {
		d.tell.fine("hang: "+worker, worker+": looked after again")
	}
	for _, worker := range late {
		d.tell.trouble("hang: "+worker, fmt.Sprintf("%s: not looked after for more than %v, as if a disk hangs; %s",
			worker, pulseLimit*time.Second, workers[worker]))
	}
}
