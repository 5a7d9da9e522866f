// SPDX-License-Identifier: MIT

package lists

import (
	"errors"
	"fmt"
	"net/netip"
)

var (
	// ErrNotListed is what a NotListedError wraps.
	ErrNotListed = errors.New("not listed")
	// ErrProtected is what a ProtectedError wraps.
	ErrProtected = errors.New("protected address")
)

// LineError is one bad line of a list file.
type LineError struct {
	Line int   // from 1
	Err  error // names the value and what was expected
}

// Error returns "line N: ...".
func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e LineError) Unwrap() error { return e.Err }

// RefusedError tells why a list file is refused: its bad lines, in order.
type RefusedError struct {
	Path  string
	Lines []LineError // at least one
	More  bool        // the file was not read to its end
}

// Error names the file and its first bad line, on one line.
func (e *RefusedError) Error() string {
	text := fmt.Sprintf("read list %q: %v", e.Path, e.Lines[0])
	switch more := len(e.Lines) - 1; {
	case e.More:
		text += fmt.Sprintf(" (and at least %d more bad lines)", more)
	case more == 1:
		text += " (and 1 more bad line)"
	case more > 1:
		text += fmt.Sprintf(" (and %d more bad lines)", more)
	}
	return text
}

// NotListedError is the error of removing what is not on a list. It wraps
// ErrNotListed.
type NotListedError struct {
	Kind     Kind
	Prefix   netip.Prefix
	Covering netip.Prefix // the narrowest listed network around it; invalid if none
	Line     int          // the line of Covering
}

// Error names the address and, as a hint, the entry that covers it.
func (e *NotListedError) Error() string {
	text := fmt.Sprintf("%q is not on the %s list", FormatPrefix(e.Prefix), e.Kind)
	if e.Covering.IsValid() {
		text += fmt.Sprintf(", but %q on line %d covers it", FormatPrefix(e.Covering), e.Line)
	}
	return text
}

// Unwrap returns ErrNotListed.
func (e *NotListedError) Unwrap() error { return ErrNotListed }

// ProtectedError is the error of denying an address that must not be lost.
// It wraps ErrProtected.
type ProtectedError struct {
	Prefix    netip.Prefix // what was to be denied
	Protected netip.Prefix // what it would have cut off
}

// Error names both networks.
func (e *ProtectedError) Error() string {
	if e.Prefix == e.Protected {
		return fmt.Sprintf("deny %q: it is a protected address", FormatPrefix(e.Prefix))
	}
	return fmt.Sprintf("deny %q: it contains or lies in the protected %q", FormatPrefix(e.Prefix), FormatPrefix(e.Protected))
}

// Unwrap returns ErrProtected.
func (e *ProtectedError) Unwrap() error { return ErrProtected }
