/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_OPTIONS_H
#define DENMAP_OPTIONS_H

#include <linux/bpf.h>
#include <linux/tcp.h>

#include <bpf/bpf_helpers.h>

#include "packet.h"

#define TCP_OPTIONS 12 /* TCP options looked at; real SYNs carry at most 9 */

/* RFC 9293 3.2, RFC 7323 3.2. */
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_TIMESTAMP 8

/* Takes one option: its place in the order, and the few values that tell
 * stacks from scanners. Returns -1 at the end of what can be walked; an
 * option that runs past the header ends the walk, as it does in the kernel.
 */
static __always_inline int take_option(struct segment *s, __u8 *pos, void *end)
{
	__u32 kind, size, beyond, left = s->header - sizeof(struct tcphdr) - s->walked;

	if (!left || (void *)(pos + 1) > end)
		return -1;
	kind = pos[0];
	/* Without a branch, which would double the paths that the verifier sees. */
	beyond = 13 - kind;
	barrier_var(beyond);
	s->options = s->options << 4 | (((kind + 1) | (beyond >> 31) * 15) & 15);
	if (kind == TCPOPT_EOL)
		return -1;
	if (kind == TCPOPT_NOP) {
		s->walked++;
		return 0;
	}
	if ((void *)(pos + 2) > end)
		return -1;
	size = pos[1];
	if (size < 2 || size > left)
		return -1;
	s->walked += size;
	if (kind == TCPOPT_MSS && size == 4 && (void *)(pos + 4) <= end)
		s->mss = pos[2] << 8 | pos[3];
	if (kind == TCPOPT_TIMESTAMP && size == 10 && (void *)(pos + 6) <= end)
		s->stamp_is_odd = (pos[2] & pos[3] & pos[4] & pos[5]) == 0xff;
	return 0;
}

/* Walks the options that begin at offset. How far is kept in memory, not in
 * a register: the verifier then sees every round alike.
 */
__noinline int parse_options(struct xdp_md *ctx, struct segment *s, __u32 offset)
{
	__u8 *options = (void *)(long)ctx->data + (offset & 0x7fff);
	void *end = (void *)(long)ctx->data_end;

	if (!s)
		return -1;
	for (int i = 0; i < TCP_OPTIONS; i++)
		if (take_option(s, options + (s->walked & 63), end))
			break;
	return 0;
}

#endif
