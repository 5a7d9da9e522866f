#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots each of the named kernel series (6.1 and 6.12 if none is named) in
# qemu and runs the lines of the file tests there: with --quick those marked
# so, with --only PATTERN those that it matches. Prints a table; fails if
# anything failed or did not run. Everything it makes is below build/kernels.
# DENMAP_KERNELS_ACCEL=kvm is faster where it works.
set -eu
cd "$(dirname "$0")/../.."
[ "$(uname -m)" = x86_64 ] || { echo "kernels: Debian's amd64 kernels need an amd64 machine; nothing was tested" >&2; exit 0; }
for program in qemu-system-x86_64 busybox cpio xz nmap ethtool nft; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null ||
		{ echo "kernels: $program is not installed: sh testenv/setup.sh" >&2; exit 1; }
done
tier=.
case ${1:-} in
--quick) tier='|quick|'; shift ;;
--only) tier=$2; shift 2 ;;
esac
[ $# -gt 0 ] || set -- 6.1 6.12
work=$PWD/build/kernels
mkdir -p "$work"
grep "$tier" testenv/kernels/tests >"$work/tests" || {
	echo "kernels: no line of testenv/kernels/tests matches '$tier' (a basic regular expression)" >&2
	exit 2
}
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/denmap" ./cmd/denmap
# The tag: tests that set the machine's clock and put it to sleep.
for tests in loader testenv; do
	CGO_ENABLED=0 go test -c -tags ownmachine -trimpath -ldflags '-s -w' -o "$work/$tests.test" ./$tests
done

# Software alone is slow, but runs everywhere, in virtual machines too.
accel=${DENMAP_KERNELS_ACCEL:-tcg,thread=multi}
failed=0
for series; do
	sh testenv/kernels/fetch.sh "$series" "$work/$series"
	sh testenv/kernels/image.sh "$work/$series" "$work/$series.cpio"
	echo "kernels: booting $series"
	# The time is for a machine that hangs: each test has a limit of its own.
	# Without cx16: qemu 7.2's emulation of the form that 6.12 uses is wrong.
	timeout 5400 qemu-system-x86_64 -accel "$accel" -cpu max,cx16=off -smp 2 -m 2048 -nographic -no-reboot -net none \
		-kernel "$work/$series"/boot/vmlinuz-* -initrd "$work/$series.cpio" \
		-append "console=ttyS0 quiet panic=-1 oops=panic" </dev/null >"$work/$series.log" 2>&1 || true
	tr -d '\r' <"$work/$series.log" | grep -a '^== ' | cut -c 4- | tee "$work/$series.result" | sed 's/^kernel/\n&/' | column -t -s '|'
	if grep -q '|FAILED|' "$work/$series.result" ||
		[ "$(grep -c '|ok|' "$work/$series.result")" != "$(grep -c '' "$work/tests")" ]; then
		tail -n 150 "$work/$series.log"
		echo "kernels: $series FAILED; the whole console is in $work/$series.log" >&2
		failed=1
	fi
	rm -f "$work/$series.cpio"
done
exit $failed
