#!/bin/sh
# SPDX-License-Identifier: MIT
# Fails if the committed generated files are not what the C sources give.
# Another patch level of the compiler gives another object: then only the
# Go side, which holds the layouts, can be compared.
set -eu
pinned=19.1.7
cd "$(dirname "$0")"
# bpf2go needs the module around it
mkdir -p ../build
work=$(mktemp -d ../build/bpf-XXXXXX)
trap 'rm -rf "$work"' EXIT
cp ./*.c ./*.h ./*.go generate.sh "$work"
(cd "$work" && sh generate.sh >/dev/null)
files="scan_bpfel.go scan_bpfeb.go"
version=$(${CLANG:-clang-19} --version | sed -n 's/.*version \([0-9.]*\).*/\1/p' | head -n 1)
if [ "$version" = "$pinned" ]; then
	files="$files scan_bpfel.o scan_bpfeb.o"
else
	echo "check: clang $version, not $pinned: comparing layouts only, not objects" >&2
fi
for f in $files; do
	cmp "$f" "$work/$f" || { echo "check: bpf/$f is out of date: run make generate" >&2; exit 1; }
done
