#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds DenMap and protects the named interfaces, in the foreground:
#	sh packaging/try.sh eth0
# Ctrl-C ends it and leaves no program behind.
set -eu
[ $# -gt 0 ] || { echo "usage: sh packaging/try.sh INTERFACE..." >&2; exit 2; }
cd "$(dirname "$0")/.."
. packaging/go.sh
CGO_ENABLED=0 go build -o build/denmap ./cmd/denmap
if [ "$(id -u)" = 0 ]; then
	exec build/denmap attach "$@"
fi
exec sudo build/denmap attach "$@"
