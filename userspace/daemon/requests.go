// SPDX-License-Identifier: MIT

package daemon

import (
	"fmt"

	"denmap/userspace/daemon/control"
)

// CommandDetach is the request to let go of the interfaces in its
// arguments, or of everything and to end.
const CommandDetach = "detach"

// CommandReload is the request to read the configuration again. The answer
// has the error if not all of it is in force.
const CommandReload = "reload"

// request is one that waits for its answer, which never blocks.
type request struct {
	control.Request
	answer chan control.Response
}

// request hands a request to the main loop. It is called from the
// goroutines of the control socket.
func (d *daemon) request(r control.Request) control.Response {
	if r.Command == CommandTroubles {
		return d.answerTroubles()
	}
	answer := make(chan control.Response, 1)
	select {
	case d.requests <- request{r, answer}:
		return <-answer
	case <-d.watchers.ctx.Done():
		return control.Response{Error: "denmap is stopping"}
	}
}

// serve answers a request, or keeps it for the end and returns true.
func (d *daemon) serve(r request) (stop bool) {
	switch {
	case r.Command == CommandReload:
		var resp control.Response
		if err := d.reload(); err != nil {
			resp.Error = err.Error()
		}
		r.answer <- resp
	case r.Command != CommandDetach:
		if d.opts.Request != nil {
			if resp, ok := d.opts.Request(r.Request); ok {
				r.answer <- resp
				return false
			}
		}
		r.answer <- control.Response{Error: fmt.Sprintf("request %q is unknown to this daemon", r.Command)}
	case len(r.Args) == 0:
		d.asked = append(d.asked, r)
		return true
	default:
		var resp control.Response
		if err := d.guard.exclude(r.Args); err != nil {
			resp.Error = err.Error()
		}
		r.answer <- resp
	}
	return false
}

// answerAll answers what was kept for the end, and waits until it is sent.
func (d *daemon) answerAll(err error) {
	var resp control.Response
	if err != nil {
		resp.Error = err.Error()
	}
	for _, r := range d.asked {
		r.answer <- resp
	}
	if d.control != nil {
		d.control.Wait()
	}
}
