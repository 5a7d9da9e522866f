#!/bin/sh
# SPDX-License-Identifier: MIT
# Asks the Go vulnerability database about what the packages call:
#	sh testenv/vuln/check.sh [--offline-ok] [PACKAGE...]
# VULNDB names another database than https://vuln.go.dev, such as a mirror
# in file:///srv/vulndb. Exit codes: 0 nothing known, 1 findings, 2 not
# checked, since the database cannot be reached; with --offline-ok that is
# said and is no failure.
set -eu
cd "$(dirname "$0")/../.."
version=v1.9.0
offline=2
[ "${1:-}" = --offline-ok ] && { offline=0; shift; }
[ $# -gt 0 ] || set -- ./...

db=${VULNDB:-https://vuln.go.dev}
tool=$PWD/build/tools/govulncheck-$version
[ -x "$tool" ] || {
	# "go run" would hide the exit code that tells findings from trouble.
	GOBIN="$PWD/build/tools" go install "golang.org/x/vuln/cmd/govulncheck@$version"
	mv build/tools/govulncheck "$tool"
}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
code=0
"$tool" -db "$db" "$@" >"$said" 2>&1 || code=$?
cat "$said"
case $code in
0) ;;
3) echo "vulncheck: findings above" >&2; exit 1 ;;
*)
	# The second is what it says of an address that was named and is silent.
	grep -qE '^govulncheck: fetching vulnerabilities|unrecognized vulndb format' "$said" || exit 1
	echo "vulncheck: NOT CHECKED: the vulnerability database $db cannot be reached; govulncheck says why above" >&2
	exit $offline
	;;
esac
