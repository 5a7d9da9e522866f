# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Sourced in the root of the tree: puts a Go into PATH that can build it.
# From 1.21 on, Go fetches the toolchain that go.mod names by itself; for an
# older one, Debian 12's say, it is fetched here the same way, as a module
# with a checked sum.
PATH=$PATH:/usr/local/go/bin
go_missing=
command -v go >/dev/null || go_missing=golang-go
# Modules come by HTTPS; a bare Debian trusts nobody yet.
if command -v apt-get >/dev/null && [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
	go_missing="$go_missing ca-certificates"
fi
[ -z "$go_missing" ] || {
	echo "installing:" $go_missing >&2
	go_root=
	[ "$(id -u)" = 0 ] || go_root=sudo
	# shellcheck disable=SC2086 # one word a package
	$go_root apt-get update -q && $go_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $go_missing
}
go_minor=$(cd / && go env GOVERSION | sed 's/^go1\.\([0-9]*\).*/\1/')
if [ "$go_minor" -lt 21 ]; then
	go_module=golang.org/toolchain@v0.0.1-go$(sed -n 's/^go //p' go.mod).linux-$(cd / && go env GOARCH)
	go_dir=$(cd / && go env GOMODCACHE)/$go_module
	[ -d "$go_dir" ] || echo "fetching $go_module" >&2
	(cd / && go mod download "$go_module")
	# Modules carry no permissions; Go from 1.21 on does the same.
	chmod -R a+x "$go_dir/bin" "$go_dir/pkg/tool"
	PATH=$go_dir/bin:$PATH
fi
export PATH
