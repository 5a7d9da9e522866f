/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_LISTS_H
#define DENMAP_LISTS_H

#include "address.h"

/* The enum list_flags of an address, 0: not listed. Lists know nothing of
 * interfaces: a link-local address is listed as it is.
 */
static __always_inline __u32 listed_as(void *addrs, void *nets, const struct packet *p)
{
	struct prefix key = {.len = WHOLE_ADDRESS};
	__u32 *flags;

	__builtin_memcpy(key.addr, p->src, sizeof(key.addr));
	flags = bpf_map_lookup_elem(addrs, &key);
	if (!flags)
		flags = bpf_map_lookup_elem(nets, &key);
	if (!flags || (*flags & LIST_IPV6 && !p->ipv6))
		return 0;
	return *flags;
}

__noinline int allow_flags(struct packet *p)
{
	return p ? listed_as(&allow_addrs, &allow_nets, p) : 0;
}

__noinline int is_denied(struct packet *p)
{
	return p ? !!listed_as(&deny_addrs, &deny_nets, p) : 0;
}

/* A ban in force, else NULL. The clock is dear, so it is read once every
 * RECHECK_TICKS; *due says that this packet was the one.
 */
static __always_inline struct ban *ban_in_force(void *map, const struct prefix *key, __u32 *due)
{
	struct ban *ban = bpf_map_lookup_elem(map, key);
	__u64 tick = ticks();

	if (!ban)
		return NULL;
	if (tick < ban->recheck)
		return ban;
	if (boot_ns() >= ban->until)
		return NULL;
	ban->recheck = tick + RECHECK_TICKS;
	*due = 1;
	return ban;
}

/* The ban of the address itself, or of its IPv6 prefix. */
static __always_inline struct ban *find_ban(void *map, const struct packet *p, __u32 ifindex,
					    __u32 *due)
{
	struct prefix key;
	struct ban *ban;

	whole_address(&key, p->src, ifindex);
	ban = ban_in_force(map, &key, due);
	if (ban || !p->ipv6)
		return ban;
	shorten(&key, ipv6_prefix);
	return ban_in_force(map, &key, due);
}

/* Counts the packet if a manual or proven ban stops it. */
__noinline int is_banned(struct packet *p, __u32 ifindex)
{
	struct ban *ban;
	__u32 due;

	if (!p)
		return 0;
	ban = find_ban(&bans, p, ifindex, &due);
	if (!ban || (monitor && ban->grade != GRADE_MANUAL))
		return 0;
	__sync_fetch_and_add(&ban->dropped, 1);
	return 1;
}

#endif
