// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"

	"denmap/userspace/event"
)

// Multi returns a Sink that writes to all sinks, whichever of them fail.
// Its errors are theirs, joined; Close closes all.
func Multi(sinks ...Sink) Sink { return multi(sinks) }

type multi []Sink

func (m multi) Write(e event.Event) error {
	var errs []error
	for _, s := range m {
		errs = append(errs, s.Write(e))
	}
	return errors.Join(errs...)
}

func (m multi) Close() error {
	var errs []error
	for _, s := range m {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
