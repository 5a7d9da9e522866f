#!/bin/sh
# SPDX-License-Identifier: MIT
# Unpacks Debian's latest kernel of a series: fetch.sh 6.1 DIR. The package
# is downloaded with lists of its own and never installed. A kernel that is
# there already is kept.
set -eu
series=$1
dir=$2
[ -e "$dir/lib/modules" ] && exit 0

case $series in
6.1) suite="http://deb.debian.org/debian-security bookworm-security" ;;
6.12) suite="http://deb.debian.org/debian bookworm-backports" ;;
*) echo "fetch: no source is known for a kernel $series: expected 6.1 or 6.12" >&2; exit 2 ;;
esac
apt=$dir.apt
rm -rf "$dir" "$apt"
mkdir -p "$dir" "$apt/lists/partial" "$apt/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $suite main" >"$apt/sources.list"
options="-qq -o APT::Architecture=amd64 -o APT::Sandbox::User=$(id -un) -o Dir::Etc::SourceList=$apt/sources.list
	-o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$apt/lists -o Dir::Cache=$apt/cache"
# shellcheck disable=SC2086 # the options are words
{
	apt-get $options update
	package=$(apt-cache $options depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\).*/\1/p' | head -n 1)
	case $package in
	"linux-image-$series."*) ;;
	*) echo "fetch: $suite has ${package:-no kernel}, expected a kernel $series" >&2; exit 1 ;;
	esac
	(cd "$apt" && apt-get $options download "$package")
}
dpkg-deb -x "$apt"/linux-image-*.deb "$dir"
rm -rf "$apt"
