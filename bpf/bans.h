/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_BANS_H
#define DENMAP_BANS_H

#include "classify.h"
#include "address.h"
#include "clock.h"

/* What is here runs before anything else needs the suspect's key, and makes
 * use of its room: the stack is short.
 */

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

/* The ban of the address itself, or of an IPv6 prefix that it is in. *key is
 * room on the caller's own stack: Linux 6.1 takes a key from nowhere else.
 */
static __always_inline struct ban *find_ban(void *map, const struct suspect *x, struct prefix *key,
					    __u32 *due)
{
	struct ban *ban;

	whole_address(key, x->p.src, x->ifindex);
	ban = ban_in_force(map, key, due);
	if (ban || !x->p.ipv6)
		return ban;
#pragma clang loop unroll(full)
	for (int i = 0; i < BAN_PREFIXES; i++) {
		if (!ban_prefixes[i])
			return NULL;
		shorten(key, ban_prefixes[i]);
		ban = ban_in_force(map, key, due);
		if (ban)
			return ban;
	}
	return NULL;
}

/* What the ban tables may hold of the address or its prefixes. */
static __always_inline __u32 find_hints(struct suspect *x, __u32 half)
{
	__u32 hints;

	whole_address(&x->key, x->p.src, x->ifindex);
	hints = hints_of(hash_key(&x->key), half);
	if (!x->p.ipv6)
		return hints;
#pragma clang loop unroll(full)
	for (int i = 0; i < BAN_PREFIXES; i++) {
		if (!ban_prefixes[i])
			break;
		shorten(&x->key, ban_prefixes[i]);
		hints |= hints_of(hash_key(&x->key), half);
	}
	return hints;
}

enum banned {
	NOT_BANNED,
	BANNED,
	BANNED_DUE, /* look whether the scan goes on: the ban is a proven one */
};

/* Counts the packet if a manual or proven ban stops it. */
static __always_inline enum banned is_banned(struct suspect *x)
{
	__u32 due = 0;
	struct ban *ban = find_ban(&bans, x, &x->key, &due);

	if (!ban || (monitor && ban->grade != GRADE_MANUAL))
		return NOT_BANNED;
	__sync_fetch_and_add(&ban->dropped, 1);
	return due && ban->grade == GRADE_PROVEN ? BANNED_DUE : BANNED;
}

/* Whether a blind ban of the very address stops a SYN, and its end is not
 * due to be looked at: most packets of a scanner that goes on.
 */
static __always_inline int is_syn_stopped(struct suspect *x)
{
	struct ban *ban;

	whole_address(&x->key, x->p.src, x->ifindex);
	ban = bpf_map_lookup_elem(&blind_bans, &x->key);
	if (!ban || ticks() >= ban->recheck)
		return 0;
	__sync_fetch_and_add(&ban->dropped, 1);
	return 1;
}

#endif
