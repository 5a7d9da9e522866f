// SPDX-License-Identifier: MIT

// Package packaging holds what the packages are built from, and the tests
// that install them on a bare Debian: its files, permissions and owners,
// the service under a real systemd while real scanners are at work, an
// upgrade under attack, removal and purge.
package packaging
