/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_OUTCOME_H
#define DENMAP_OUTCOME_H

#include "address.h"
#include "classify.h"

#define SERVICE_MEMORY_S (24 * 60 * 60)

enum outcome {
	OPEN,	 /* a socket wants it */
	CLOSED,	 /* nobody does: a failed probe */
	FOREIGN, /* not this host's business to answer */
};

static __always_inline int is_own(const struct packet *p, __u32 ifindex)
{
	struct prefix key;

	if (!p->mac_is_ours)
		return 0;
	whole_address(&key, p->dst, ifindex);
	return bpf_map_lookup_elem(&own_addrs, &key) != NULL;
}

/* Asks the socket table of the interface's network namespace. */
static __always_inline int has_socket(struct xdp_md *ctx, const struct packet *p,
				      const struct segment *s)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size;

	if (p->ipv6) {
		__builtin_memcpy(tuple.ipv6.saddr, p->src, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, p->dst, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = s->sport;
		tuple.ipv6.dport = s->dport;
		size = sizeof(tuple.ipv6);
	} else {
		tuple.ipv4.saddr = p->src[3];
		tuple.ipv4.daddr = p->dst[3];
		tuple.ipv4.sport = s->sport;
		tuple.ipv4.dport = s->dport;
		size = sizeof(tuple.ipv4);
	}
	sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

/* A socket found for an address of another host is a wildcard listener of
 * this one and says nothing.
 */
static __always_inline enum outcome ask(struct xdp_md *ctx, const struct suspect *x)
{
	if (!is_own(&x->p, x->ifindex))
		return FOREIGN;
	return has_socket(ctx, &x->p, &x->s) ? OPEN : CLOSED;
}

/* Services restart while clients and monitors keep calling. */
static __always_inline void note_listener(__be16 dport, __u64 now)
{
	__u32 port = bpf_ntohs(dport);
	__u32 *seen = bpf_map_lookup_elem(&listened, &port);
	__u32 second = now / 1000000000 + 1;

	if (seen && second - *seen > 60)
		*seen = second;
}

static __always_inline int had_listener(__be16 dport, __u64 now)
{
	__u32 port = bpf_ntohs(dport);
	__u32 *seen = bpf_map_lookup_elem(&listened, &port);

	return seen && *seen && now / 1000000000 + 1 - *seen < SERVICE_MEMORY_S;
}

static __always_inline int is_ignored(__be16 dport)
{
	__u16 port = bpf_ntohs(dport);

	return ignored_ports[port / 64] >> port % 64 & 1;
}

/* Peers of this host's own lost connections send ACKs and FINs to ports it
 * once used; a scanner's header gives itself away.
 */
static __always_inline int is_lost_connection(const struct guess *g, const struct segment *s)
{
	__u16 port = bpf_ntohs(s->dport);

	return g->suspicion == NEEDS_ANY && g->tool != TOOL_NMAP && port >= ephemeral_min &&
	       port <= ephemeral_max;
}

#endif
