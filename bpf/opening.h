/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_OPENING_H
#define DENMAP_OPENING_H

#include "outcome.h"

/* Half-open scans of open ports: a SYN, the host's SYN+ACK, and a reset,
 * since the scanner's kernel knows nothing of the connection. What is
 * remembered of a SYN to a listener takes one array slot, so that a flood of
 * them costs no memory; it may cost evidence.
 */

static __always_inline struct opening *opening_of(const struct suspect *x, __u32 *tag)
{
	__u64 ports = (__u64)x->s.sport << 16 | x->s.dport;
	__u64 h = hash_words(x->p.src, (__u64)x->p.dst[3] << 32 | ports);
	__u32 index = h >> 50 & (OPENING_SLOTS - 1);

	*tag = (__u32)h | 1;
	return bpf_map_lookup_elem(&openings, &index);
}

/* A reset answers a SYN+ACK at once. Later than this it answers one that was
 * sent again, since the first was lost: nothing comes from then on from a
 * scanner, who resets the first, and a reset from the kernel of a client
 * that was ended in the meantime. Linux sends it again after a second;
 * RESET_TICKS never takes as long.
 */
#define OPENING_TICK_BITS 26 /* 67 ms */
#define RESET_TICKS 14

/* Headers that no connect() sends: rules R1 to R6. */
static __always_inline int is_raw(const struct suspect *x)
{
	return x->g.points > 1;
}

/* A SYN to a listener: a reset that comes next is worth a point. */
static __always_inline void expect_reset(const struct suspect *x)
{
	__u32 tag;
	struct opening *o = opening_of(x, &tag);

	if (!o)
		return;
	/* Sent again, it is as old as it was. */
	if (o->tag != tag || o->isn != x->s.seq)
		o->tick = x->now >> OPENING_TICK_BITS;
	o->isn = x->s.seq;
	o->window = x->s.window;
	o->ttl = x->p.ttl;
	o->tool = x->g.tool;
	o->raw = is_raw(x);
	o->tag = tag;
}

/* The handshake is still open; under SYN cookies only the listener knows of
 * it, or rather does not.
 */
static __always_inline int is_pending(struct xdp_md *ctx, const struct suspect *x)
{
	int state;

	if (test_clock && test_outcome)
		return test_outcome - 1 == OPEN;
	state = socket_state(ctx, &x->p, &x->s);
	return state == BPF_TCP_NEW_SYN_RECV || state == BPF_TCP_LISTEN;
}

/* Whether a reset ends a handshake that was never meant to be finished; the
 * SYN then is the suspect, with the reset's flags. A load balancer that
 * checks its services does the same with sockets of its kernel: such a
 * reset has the ACK flag, and counts only if the SYN was raw. So does a late
 * one. Some balancers copy a kernel's SYN and reset as scanners do: without a
 * raw SYN this alone brings no ban.
 */
__noinline int is_half_open(struct xdp_md *ctx, struct suspect *x)
{
	struct opening *o;
	__u32 tag, late;

	if (!x || (x->s.flags & (SYN | RST)) != RST)
		return 0;
	o = opening_of(x, &tag);
	if (!o || o->tag != tag || o->isn + 1 != x->s.seq)
		return 0;
	late = (__u16)((__u16)(x->now >> OPENING_TICK_BITS) - o->tick) >= RESET_TICKS;
	if (((x->s.flags & ACK || late) && !o->raw) || !is_pending(ctx, x))
		return 0;
	o->tag = 0;
	x->faint = !o->raw;
	x->g.kind = KIND_SYN;
	x->g.points = 1;
	x->g.tool = o->tool;
	x->s.window = o->window;
	x->p.ttl = o->ttl;
	return 1;
}

#endif
