#!/bin/sh
# SPDX-License-Identifier: MIT
# Before a removal, not before an upgrade: ends the protection and leaves
# no program in the kernel. dpkg passes "remove", rpm 0.
set -e

case $1 in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now denmap.service || true
fi
# What a daemon left that was killed, or started by hand.
if [ -d /sys/fs/bpf/denmap ]; then
	denmap detach || true
	rmdir --ignore-fail-on-non-empty /sys/fs/bpf/denmap || true
fi
# As systemd mounts it, before tmpfiles.d/denmap.conf.
if [ "$(stat -c %G /sys/fs/bpf 2>/dev/null)" = denmap ]; then
	chown root:root /sys/fs/bpf
	chmod 0700 /sys/fs/bpf
fi
