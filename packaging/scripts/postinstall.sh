#!/bin/sh
# SPDX-License-Identifier: MIT
# After an installation or upgrade. dpkg passes "configure" and the version
# before; rpm the number of versions that are installed now. The service is
# neither enabled nor started; one that runs is restarted, which leaves the
# kernel program in place.
set -e

case $1 in
configure) upgrade=$2 ;;
1) upgrade= ;;
[2-9]*) upgrade=yes ;;
*) exit 0 ;; # dpkg took something back
esac

systemd-sysusers denmap.conf
# The service and its web page edit what is here, and commands run as root
# leave files to the owner of the directory.
chown -h denmap:denmap /etc/denmap /etc/denmap/conf.d \
	/etc/denmap/denmap.yaml /etc/denmap/allow.list /etc/denmap/deny.list
for dir in /var/lib/denmap /var/log/denmap; do
	[ -d "$dir" ] || install -d -m 0750 -o denmap -g denmap "$dir"
done

if [ -d /run/systemd/system ]; then
	systemd-tmpfiles --create denmap.conf || true
	systemctl daemon-reload || true
	[ -z "$upgrade" ] || systemctl try-restart denmap.service || true
fi
