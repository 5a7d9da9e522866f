#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds scan.c and its Go side. The compiler is named because another one
# gives another object: `make check-generated` compares byte for byte.
set -eu
CLANG=${CLANG:-clang-19}
STRIP=${STRIP:-llvm-strip-19}
# asm/types.h of Debian's multiarch layout
include=/usr/include/$(uname -m)-linux-gnu

types="layout list list_set spread row block leaf own hint guide_head mark newcomer index_set pressure waiting unanswered service opening listener record trace print event source probe ban stop stop_row gate meta iface prefix scan_kind scan_tool reason"
types="$types source_flags ban_grade event_type event_flags list_flags iface_flags"
flags=
for t in $types; do flags="$flags -type $t"; done

# shellcheck disable=SC2086 # the flags are words
GOPACKAGE=bpf exec go tool bpf2go -cc "$CLANG" -strip "$STRIP" -target bpfel,bpfeb $flags \
	Scan scan.c -- -O2 -g -Wall -Werror -mcpu=v3 -I"$include"
