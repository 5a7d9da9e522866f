#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the packages into build/packages, or $OUT: .deb, .rpm and .tar.gz
# (or those of "deb rpm tar" that $KINDS names) for each of the
# architectures given, amd64 and arm64 without arguments. The same commit
# gives the same bytes; $VERSION and $SOURCE_DATE_EPOCH override what git
# says.
set -eu
cd "$(dirname "$0")/.."
. packaging/go.sh
VERSION=${VERSION:-$(sh packaging/version.sh)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION SOURCE_DATE_EPOCH CGO_ENABLED=0
out=${OUT:-build/packages}
tools=build/tools root=build/packages/root # nfpm.yaml names it
umask 022
mkdir -p "$out" "$tools"

# Pages, completions and configuration come from a program of this host.
denmap=$tools/denmap
ldflags="-s -w -buildid= -X main.release=$VERSION"
go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$denmap" ./cmd/denmap
go build -modfile=packaging/tools.mod -o "$tools/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm

for ARCH in ${*:-amd64 arm64}; do
	export ARCH
	echo "packages: denmap $VERSION for $ARCH" >&2
	rm -rf "$root"
	mkdir -p "$root/usr/sbin"
	GOARCH=$ARCH go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$root/usr/sbin/denmap" ./cmd/denmap
	sh packaging/tree.sh "$root" "$denmap"
	for kind in ${KINDS:-deb rpm tar}; do
		file=denmap_${VERSION}_$ARCH.$kind
		if [ "$kind" = tar ]; then
			tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
				--transform "s,^\.,denmap-$VERSION," -cf - . | gzip -n9 >"$out/$file.gz"
		else
			"$tools/nfpm" package --config packaging/nfpm.yaml --packager "$kind" --target "$out/$file" >/dev/null
		fi
	done
	rm -rf "$root"
done
