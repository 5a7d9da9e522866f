#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing and runs all tests, the privileged ones included.
set -eu
cd "$(dirname "$0")/.."
sh testenv/setup.sh
. packaging/go.sh
if [ "$(id -u)" = 0 ]; then
	exec make check
fi
# The caches stay the user's; only the tests themselves need root.
exec sudo env "PATH=$PATH" "GOFLAGS=-buildvcs=false" "GOCACHE=$(go env GOCACHE)" \
	"GOMODCACHE=$(go env GOMODCACHE)" "GOPROXY=$(go env GOPROXY)" make check
