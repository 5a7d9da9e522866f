#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the tests need on Debian or Ubuntu: the compiler of the BPF
# program, the scanners, the clients. Go must be there already.
set -eu

packages="clang-19 llvm-19 clang-format-19 libbpf-dev linux-libc-dev make git
	nmap ncat masscan zmap hping3 python3-scapy netcat-openbsd netcat-traditional pnscan dmitry ipv6toolkit tcpdump curl ethtool iproute2 util-linux
	nftables iptables ipset xdp-tools iperf3 wrk debootstrap systemd-container rpm chromium postfix sasl2-bin libsasl2-modules e2fsprogs mount fail2ban crowdsec-custom-bouncer prometheus"

# Other kernels are booted in qemu, on the machines they are for.
if [ "$(uname -m)" = x86_64 ]; then
	packages="$packages qemu-system-x86 busybox-static cpio xz-utils bsdextrautils debian-archive-keyring"
fi

missing=
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
# Any of these shows the page.
if command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then
	missing=$(echo "$missing" | sed 's/ chromium\>//')
fi
[ -z "$missing" ] && exit 0
root=
[ "$(id -u)" = 0 ] || root=sudo
echo "installing:$missing" >&2
# The lab starts servers of its own; the machine's must not run.
for s in postfix fail2ban prometheus crowdsec-custom-bouncer; do
	case $missing in *" $s"*)
		if command -v systemctl >/dev/null; then $root systemctl mask "$s.service"; fi
		;;
	esac
done
$root apt-get update -q
case $missing in *" chromium"*)
	# Ubuntu has it as a snap alone, and snaps see neither namespaces nor /tmp.
	if ! apt-cache policy chromium | grep -q 'Candidate: [0-9]'; then
		echo "setup: this distribution has no package chromium: install google-chrome for the tests of the page" >&2
		missing=$(echo "$missing" | sed 's/ chromium\>//')
	fi
	;;
esac
# shellcheck disable=SC2086 # one word a package
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
