/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_CONNTRACK_H
#define DENMAP_CONNTRACK_H

#include <bpf/bpf_core_read.h>

#include "classify.h"

/* The kernel's connection tracking: since Linux 5.18, and only where rules
 * make it look at packets. A connection it does not know may be one that it
 * was told not to track.
 */

/* Of net/netfilter/nf_conntrack_bpf.h; the kernel takes this size still. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

#define IPS_SEEN_REPLY 2 /* linux/netfilter/nf_conntrack_common.h */
#define IP_CT_DIR_REPLY 1

extern struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple,
					 __u32 tuple_size, struct bpf_ct_opts *opts,
					 __u32 opts_size) __ksym __weak;
extern void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

/* What it knows of the connection of a packet, before the packet itself. */
enum tracked {
	TRACKED_NOT,	  /* nothing, or it cannot be asked */
	TRACKED_ONE_WAY,  /* the sender spoke first, and nobody answered */
	TRACKED_ANSWERED, /* the sender spoke first */
	TRACKED_OURS,	  /* the sender answers this host, or one behind it */
};

/* The tuple of a packet for look-ups; returns its size. */
static __always_inline __u32 tuple_of(struct bpf_sock_tuple *tuple, const struct packet *p,
				      const struct segment *s)
{
	if (p->ipv6) {
		__builtin_memcpy(tuple->ipv6.saddr, p->src, sizeof(tuple->ipv6.saddr));
		__builtin_memcpy(tuple->ipv6.daddr, p->dst, sizeof(tuple->ipv6.daddr));
		tuple->ipv6.sport = s->sport;
		tuple->ipv6.dport = s->dport;
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = p->src[3];
	tuple->ipv4.daddr = p->dst[3];
	tuple->ipv4.sport = s->sport;
	tuple->ipv4.dport = s->dport;
	return sizeof(tuple->ipv4);
}

/* Without the functions has_conntrack is 0, and the calls are dead code. To
 * test their addresses instead would be refused where they are a module's.
 */
static __always_inline int asks_conntrack(void)
{
	return has_conntrack && bpf_core_field_exists(struct nf_conn, status);
}

__noinline int ask_conntrack(struct xdp_md *ctx, struct suspect *x)
{
	struct bpf_ct_opts opts = {.netns_id = BPF_F_CURRENT_NETNS};
	struct bpf_sock_tuple tuple = {};
	unsigned long status;
	struct nf_conn *ct;

	if (!x || !asks_conntrack())
		return TRACKED_NOT;
	opts.l4proto = x->p.protocol;
	/* The size is a constant to the verifier in each branch. */
	if (x->p.ipv6) {
		tuple_of(&tuple, &x->p, &x->s);
		ct = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv6), &opts, sizeof(opts));
	} else {
		tuple_of(&tuple, &x->p, &x->s);
		ct = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	}
	if (!ct)
		return TRACKED_NOT;
	status = ct->status;
	bpf_ct_release(ct);
	if (opts.dir == IP_CT_DIR_REPLY)
		return TRACKED_OURS;
	return status & IPS_SEEN_REPLY ? TRACKED_ANSWERED : TRACKED_ONE_WAY;
}

#endif
