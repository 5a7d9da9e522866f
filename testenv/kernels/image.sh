#!/bin/sh
# SPDX-License-Identifier: MIT
# Packs the first file system of a test machine: image.sh KERNEL OUT, where
# KERNEL is an unpacked kernel package. Inside are busybox, the program and
# its tests, Nmap and other tools with what they need, and the kernel's network modules.
set -eu
kernel=$1
out=$2
here=$(dirname "$0")
root=$out.root
rm -rf "$root"
mkdir -p "$root/bin" "$root/lib/modules" "$root/etc" "$root/usr/share" "$root/usr/sbin"
install -m 0755 "$here/init" "$root/init"
install -m 0755 "$(command -v busybox)" "$root/bin/busybox"
install -m 0644 build/kernels/tests "$root/tests"
install -m 0755 build/kernels/denmap build/kernels/loader.test build/kernels/testenv.test "$root/bin/"

# A dynamic program with its libraries, under their own paths.
for program in nmap ethtool nft; do
	path=$(PATH=$PATH:/usr/sbin:/sbin command -v $program)
	cp -L --parents "$path" "$root"
	ldd "$path" | grep -o '/[^ ]*' | while read -r library; do cp -L --parents "$library" "$root"; done
done
cp -rL /usr/share/nmap "$root/usr/share/"

release=$(basename "$kernel"/lib/modules/*)
(cd "$kernel" && find "lib/modules/$release/kernel/net" "lib/modules/$release/kernel/fs/overlayfs" \
	"lib/modules/$release/kernel/lib" "lib/modules/$release/kernel/crypto" \
	"lib/modules/$release/kernel/drivers/net/veth.ko"* "lib/modules/$release/kernel/drivers/net/tun.ko"* \
	-name '*.ko*' -exec cp --parents -t "$root" {} +)
find "$root/lib/modules" -name '*.ko.xz' -exec xz -d {} +
(cd "$root" && find . | cpio --quiet -o -H newc) >"$out"
rm -rf "$root"
