#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the packages into build/packages: .deb, .rpm and .tar.gz for each
# of the architectures given, amd64 and arm64 without arguments. The same
# commit gives the same bytes; $VERSION and $SOURCE_DATE_EPOCH override
# what git says.
set -eu
cd "$(dirname "$0")/.."
VERSION=${VERSION:-$(sh packaging/version.sh)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export VERSION SOURCE_DATE_EPOCH CGO_ENABLED=0
out=build/packages root=build/packages/root
umask 022
mkdir -p "$out"

# Pages, completions and configuration come from a program of this host.
denmap=$out/denmap
ldflags="-s -w -buildid= -X main.release=$VERSION"
go build -trimpath -ldflags "$ldflags" -o "$denmap" ./cmd/denmap
go build -modfile=packaging/tools.mod -o "$out/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm

for ARCH in ${*:-amd64 arm64}; do
	export ARCH
	echo "packages: denmap $VERSION for $ARCH" >&2
	rm -rf "$root"
	mkdir -p "$root/usr/sbin"
	GOARCH=$ARCH go build -trimpath -ldflags "$ldflags" -o "$root/usr/sbin/denmap" ./cmd/denmap
	sh packaging/tree.sh "$root" "$denmap"
	for kind in deb rpm; do
		rm -f "$out"/denmap*"$ARCH.$kind"
		"$out/nfpm" package --config packaging/nfpm.yaml --packager "$kind" --target "$out/denmap_${VERSION}_$ARCH.$kind" >&2
	done
	tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
		--transform "s,^\.,denmap-$VERSION," -cf - . | gzip -n9 >"$out/denmap_${VERSION}_linux_$ARCH.tar.gz"
done
rm -rf "$root" "$denmap" "$out/nfpm"
