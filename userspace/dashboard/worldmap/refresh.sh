#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Make assets/world.json anew from the npm package world-atlas.
# Usage: userspace/dashboard/worldmap/refresh.sh [FILE.tgz]
set -eu

package=world-atlas@2.0.2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then
    tarball=$1
else
    tarball=$work/$(cd "$work" && npm pack --silent "$package")
fi
tar -xzf "$tarball" -C "$work"
# The right to pass the data on hangs on this.
grep -q 'Permission to use, copy, modify, and/or distribute' "$work/package/LICENSE" || {
    echo "refresh: the package's licence has changed; read it and NOTICE first" >&2
    exit 1
}
cd "$here/../../.."
go run ./userspace/dashboard/worldmap \
    -shapes "$work/package/countries-110m.json" -points "$work/package/countries-10m.json" \
    -names userspace/geo/countries.txt -o userspace/dashboard/assets/world.json
wc -c userspace/dashboard/assets/world.json
