#!/bin/sh
# SPDX-License-Identifier: MIT
# Lays out below ROOT what is installed beside the program itself:
#	tree.sh ROOT DENMAP
# DENMAP is a denmap that runs here; it prints the manual and completions.
set -eu
root=$1 denmap=$2
share=$root/usr/share

put() { # FILE DESTINATION
	install -D -m 0644 "$1" "$root$2"
}
put packaging/denmap.service /usr/lib/systemd/system/denmap.service
put packaging/denmap.sysusers /usr/lib/sysusers.d/denmap.conf
put packaging/denmap.tmpfiles /usr/lib/tmpfiles.d/denmap.conf
put LICENSE /usr/share/doc/denmap/copyright
put README.md /usr/share/doc/denmap/README.md
put userspace/geo/NOTICE /usr/share/doc/denmap/NOTICE
put packaging/allow.list /etc/denmap/allow.list
put packaging/deny.list /etc/denmap/deny.list

mkdir -p "$share/man/man8" "$share/man/man5" "$share/bash-completion/completions" \
	"$share/zsh/vendor-completions" "$share/zsh/site-functions" "$share/fish/vendor_completions.d"
"$denmap" manual denmap.8 | gzip -n9 >"$share/man/man8/denmap.8.gz"
"$denmap" manual denmap.yaml.5 | gzip -n9 >"$share/man/man5/denmap.yaml.5.gz"
"$denmap" completion bash >"$share/bash-completion/completions/denmap"
"$denmap" completion zsh >"$share/zsh/vendor-completions/_denmap"
cp "$share/zsh/vendor-completions/_denmap" "$share/zsh/site-functions/_denmap"
"$denmap" completion fish >"$share/fish/vendor_completions.d/denmap.fish"

# Every key commented out, but for the mode: a package changes nothing on
# a host before somebody has seen what it would do.
config=$root/etc/denmap/denmap.yaml
sed 's/^#mode: enforce$/mode: monitor/' userspace/config/denmap.yaml >"$config"
chmod 0644 "$config"
grep -q '^mode: monitor$' "$config"
"$denmap" config check --config "$config" 2>/dev/null
