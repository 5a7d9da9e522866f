/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_BANS_H
#define DENMAP_BANS_H

#include "classify.h"
#include "address.h"
#include "clock.h"

/* What is here runs before anything else needs the suspect's key, and makes
 * use of its room: the stack is short.
 */

/* Whether bans of the grade stop packets: in monitor mode only manual ones do. */
static __always_inline int is_enforced(__u32 grade)
{
	return !monitor || grade == GRADE_MANUAL;
}

/* A ban in force, else NULL. The clock is dear, so it is read once every
 * RECHECK_TICKS; *due says that this packet was the one.
 */
static __always_inline struct ban *ban_in_force(void *map, const struct prefix *key, __u32 *due)
{
	struct ban *ban = bpf_map_lookup_elem(map, key);
	__u64 tick = ticks();

	if (!ban || !is_enforced(ban->grade))
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
	x->hash = hash_key(&x->key);
	hints = hints_of(x->hash, half);
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

/* Where a ban of the address is remembered; find_hints comes first. */
static __always_inline struct stop *stop_of(const struct suspect *x)
{
	__u32 zero = 0;
	struct stop_row *all = bpf_map_lookup_elem(&stops, &zero);

	return all ? &all->slots[x->hash & (STOP_SLOTS - 1)] : NULL;
}

static __always_inline __u64 last_lift(void)
{
	__u32 zero = 0;
	__u64 *lifted = bpf_map_lookup_elem(&lifts, &zero);

	return lifted ? *(volatile __u64 *)lifted : 0;
}

static __always_inline int is_stop_of(const struct stop *s, const struct suspect *x)
{
	return same_address(s->addr, x->p.src) && s->ifindex == x->ifindex;
}

/* Whether a ban that is remembered of the address is in force. */
static __always_inline int still_stops(const struct stop *s, const struct suspect *x, __u64 lifted)
{
	return is_stop_of(s, x) && ticks() < s->recheck && s->lifted == lifted;
}

/* Moves what was counted of another ban to that. */
__noinline int settle_stop(struct stop *s)
{
	struct prefix key;
	struct ban *ban;

	if (!s || !s->dropped)
		return 0;
	key = s->key;
	if (s->grade == GRADE_BLIND)
		ban = bpf_map_lookup_elem(&blind_bans, &key);
	else
		ban = bpf_map_lookup_elem(&bans, &key);
	if (ban && ban->since == s->since)
		__sync_fetch_and_add(&ban->dropped, s->dropped);
	s->dropped = 0;
	return 0;
}

/* Counts a packet that the ban at x->key stopped, and remembers it. Another
 * that is at work is not forgotten for it. lifted is last_lift() as it was
 * before the ban was looked up: one that is lifted meanwhile is void.
 */
__noinline int note_stop(const struct suspect *x, struct ban *ban, __u64 lifted)
{
	struct stop *s;

	if (!x || !ban)
		return 0;
	__sync_fetch_and_add(&ban->dropped, 1);
	s = stop_of(x);
	if (!s || (!is_stop_of(s, x) && ticks() < s->recheck))
		return 0;
	settle_stop(s);
	__builtin_memcpy(s->addr, x->p.src, sizeof(s->addr));
	s->ifindex = x->ifindex;
	s->grade = ban->grade;
	s->recheck = ban->recheck;
	s->since = ban->since;
	s->lifted = lifted;
	s->key = x->key;
	return 0;
}

enum banned {
	NOT_BANNED,
	BANNED,
	BANNED_DUE, /* look whether the scan goes on: the ban is a proven one */
};

/* Counts the packet if a manual or proven ban stops it. */
static __always_inline enum banned is_banned(struct suspect *x)
{
	struct stop *s = stop_of(x);
	__u64 lifted = last_lift();
	__u32 due = 0;
	struct ban *ban;

	if (s && s->grade != GRADE_BLIND && is_enforced(s->grade) && still_stops(s, x, lifted)) {
		s->dropped++;
		return BANNED;
	}
	ban = find_ban(&bans, x, &x->key, &due);
	if (!ban)
		return NOT_BANNED;
	note_stop(x, ban, lifted);
	return due && ban->grade == GRADE_PROVEN ? BANNED_DUE : BANNED;
}

/* Whether a blind ban of the very address stops a SYN, and its end is not
 * due to be looked at: most packets of a scanner that goes on.
 */
static __always_inline int is_syn_stopped(struct suspect *x)
{
	struct stop *s = stop_of(x);
	__u64 lifted = last_lift();
	struct ban *ban;

	if (s && s->grade == GRADE_BLIND && still_stops(s, x, lifted)) {
		s->dropped++;
		return 1;
	}
	whole_address(&x->key, x->p.src, x->ifindex);
	ban = bpf_map_lookup_elem(&blind_bans, &x->key);
	if (!ban || ticks() >= ban->recheck)
		return 0;
	note_stop(x, ban, lifted);
	return 1;
}

#endif
