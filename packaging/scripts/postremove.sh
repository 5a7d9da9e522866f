#!/bin/sh
# SPDX-License-Identifier: MIT
# After a removal. A purge, which only dpkg knows, takes configuration,
# logs, history and the user along.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
[ "$1" = purge ] || exit 0
rm -rf /etc/denmap /var/lib/denmap /var/log/denmap
if getent passwd denmap >/dev/null; then
	userdel denmap
fi
if getent group denmap >/dev/null; then
	groupdel denmap
fi
