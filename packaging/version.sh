#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the version of the checkout as package managers order it: the tag
# (v1.2.3 is 1.2.3), with +N.COMMIT when N commits follow it, or
# 0.0.0+N.COMMIT before the first tag.
set -eu
if described=$(git describe --tags --long --match 'v[0-9]*' 2>/dev/null); then
	tag=${described%-*-g*} rest=${described#"${described%-*-g*}"-}
	count=${rest%-g*} commit=${rest#*-g}
	[ "$count" != 0 ] || { echo "${tag#v}"; exit; }
	echo "${tag#v}+$count.$commit"
else
	echo "0.0.0+$(git rev-list --count HEAD).$(git rev-parse --short=7 HEAD)"
fi
