/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_SETTLE_H
#define DENMAP_SETTLE_H

#include "lists.h"
#include "wait.h"

/* Scores what waited in vain, also of sources that send nothing more. */

static __always_inline int is_mapped_ipv4(const __be32 addr[4])
{
	return !addr[0] && !addr[1] && addr[2] == bpf_htonl(0xffff);
}

/* Whether a probe of this interface failed; it is then the suspect and no
 * longer waits.
 */
static __always_inline int has_failed(struct suspect *x, struct unanswered *u)
{
	__u32 allowed, target = u->probe.target;

	if (!is_due_at(u, x->now / 1000000) || (own_ifindex && u->ifindex != own_ifindex))
		return 0;
	__builtin_memcpy(x->p.src, u->src, sizeof(x->p.src));
	x->p.ipv6 = !is_mapped_ipv4(u->src);
	x->ifindex = u->ifindex;
	take(x, u);
	if (!__sync_bool_compare_and_swap(&u->probe.target, target, 0))
		return 0; /* another CPU was first */
	allowed = allow_flags(&x->p);
	x->spared = allowed ? EVENT_WATCHED : 0;
	return !allowed || allowed & LIST_WATCH;
}

static long settle_source(void *map, const struct prefix *key, struct waiting *w, __u32 *failed)
{
	struct suspect *x = room();

	if (!x)
		return 1;
	x->p.protocol = IPPROTO_TCP;
	x->now = boot_ns();
	x->key = *key;
	x->hash = hash_key(&x->key);
	for (__u32 i = 0; i < WAITING_SLOTS; i++) {
		if (has_failed(x, &w->slots[i]) && expire(x) != PASS_REPEATED)
			(*failed)++;
	}
	return 0;
}

/* Returns how many failed. It is never attached: user space runs it on a
 * packet that it does not look at, since programs of the kind made for such
 * calls sleep, and must not use tries.
 */
SEC("xdp")
int settle(struct xdp_md *ctx)
{
	__u32 failed = 0, zero = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (!gate || (gate->pause_until && boot_ns() < gate->pause_until) ||
	    !has_mark(MARK_WAITERS))
		return 0;
	bpf_for_each_map_elem(&waiters, settle_source, &failed, 0);
	return failed;
}

#endif
