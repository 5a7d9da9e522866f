// SPDX-License-Identifier: MIT

// Package history remembers what happened in an embedded SQLite database,
// history.db in state_dir: every scan, ban, list change and gap, for as
// long and as much as the configuration allows.
//
// A DB writes: it takes in the events of the daemon (Handle never blocks)
// and stores them in batches on a goroutine of its own. A Reader answers
// questions; a DB contains one, and commands open one beside the daemon
// with OpenReader. Nothing that happens to the file can hold up anything
// else: a damaged database is set aside and a new one begun, a full disk
// is said once and waited out.
//
// Times are stored in milliseconds and returned in UTC.
package history
