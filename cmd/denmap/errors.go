// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"denmap/loader"
	"denmap/userspace/config"
)

// Exit codes of every command but health.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command line that makes no sense: exit code 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// badValue is the usage error for what a parser refused.
func badValue(err error) error { return &usageError{err.Error()} }

// hintError adds what the user can do about an error. Only people at a
// terminal get to see it: what scripts must know belongs into the error.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

func withHint(err error, format string, args ...any) error {
	return &hintError{err, fmt.Sprintf(format, args...)}
}

// exitCode is an error of a command that has said all there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// report tells the user of an error, in one line, to people with a hint
// below it, and returns the exit code. debug adds the verifier's log, if there is one.
func (e *environment) report(err error, command string, debug bool) int {
	var code exitCode
	if err == nil {
		return exitDone
	}
	if errors.As(err, &code) {
		return int(code)
	}
	text, hint := oneLine(err), ""
	var hinted *hintError
	if errors.As(err, &hinted) {
		hint = hinted.hint
	}
	if errors.Is(err, fs.ErrPermission) && !e.Root {
		text, hint = strings.TrimSpace(command+" needs root"), "run it with sudo"
	}
	fmt.Fprintf(e.Stderr, "denmap: error: %s\n", text)
	if hint != "" && e.Hints {
		fmt.Fprintf(e.Stderr, "denmap: hint: %s\n", hint)
	}
	if debug {
		writeVerifierLog(e.Stderr, err)
	}
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// oneLine shortens errors that would fill several lines.
func oneLine(err error) string {
	var problems *config.Error
	if errors.As(err, &problems) && len(problems.Problems) > 0 {
		text := problems.Problems[0].String()
		if more := len(problems.Problems) + problems.Omitted - 1; more > 0 {
			text += fmt.Sprintf(" (%d more: denmap config check)", more)
		}
		return text
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

func writeVerifierLog(w io.Writer, err error) {
	var refused *loader.LoadError
	if errors.As(err, &refused) {
		fmt.Fprintf(w, "%+v\n", refused.Verifier)
	}
}
