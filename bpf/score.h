/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_SCORE_H
#define DENMAP_SCORE_H

#include "classify.h"
#include "company.h"
#include "filter.h"

#define TIME_BITS 40
#define TIME_MASK ((1ULL << TIME_BITS) - 1)
#define CAS_TRIES 8

/* What a source is like before its first probe. */
static const struct source blank_source = {};

/* The points left of a score word; moves *since to the last whole decay. */
static __always_inline __u32 decayed(__u64 word, __u64 now_ms, __u64 *since)
{
	__u64 points = word >> TIME_BITS, then = word & TIME_MASK, lost;

	*since = now_ms;
	if (now_ms <= then)
		return points;
	/* A division is dear, and most sources are in a hurry. */
	lost = now_ms - then < decay_ms ? 0 : (now_ms - then) / decay_ms;
	if (lost >= points)
		return 0;
	*since = then + lost * decay_ms;
	return points - lost;
}

static __always_inline __u32 points_of(__u64 word, __u64 now)
{
	__u64 since;

	return decayed(word, now / 1000000, &since);
}

/* Adds points and returns what they were added to: of many packets at once
 * exactly one sees the score cross a threshold. The score stops at limit,
 * where it is not above that already.
 */
__noinline __u32 add_points(__u64 *word, __u32 points, __u32 limit, __u64 now)
{
	if (!word)
		return 0;
	for (int i = 0; i < CAS_TRIES; i++) {
		__u64 since, old = *(volatile __u64 *)word;
		__u32 before = decayed(old, now / 1000000, &since);
		__u64 after = before + points < limit ? before + points
			      : before < limit	      ? limit
						      : before;

		if (__sync_bool_compare_and_swap(word, old, after << TIME_BITS | since))
			return before;
	}
	/* Crowded out eight times: add without decay rather than not at all. */
	return __sync_fetch_and_add(word, (__u64)points << TIME_BITS) >> TIME_BITS;
}

/* Finds under which key the source is scored. A watched address is alone: its
 * failures, which bring no ban, say nothing of its neighbours.
 */
static __always_inline void identify(struct suspect *x)
{
	if (x->spared)
		whole_address(&x->key, x->p.src, x->ifindex);
	else
		source_key(&x->key, &x->p, x->ifindex);
	x->hash = hash_key(&x->key);
}

/* The source's entry in a table. Linux 6.1 takes a key from the stack, and
 * refuses one in the struct that a function is handed.
 */
static __always_inline void *entry_of(void *table, const struct suspect *x)
{
	struct prefix key = x->key;

	return bpf_map_lookup_elem(table, &key);
}

/* The same, made of blank if there is none. */
static __always_inline void *entry_made(void *table, const struct suspect *x, const void *blank)
{
	struct prefix key = x->key;

	bpf_map_update_elem(table, &key, blank, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, &key);
}

/* The source's entry, NULL if it has none. */
static __always_inline struct source *find_source(const struct suspect *x)
{
	__u32 zero = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (gate && !(hints_of(x->hash, gate->hint_half) & HINT_SOURCE))
		return NULL;
	return entry_of(&sources, x);
}

/* See enum print. */
static __always_inline __u32 target_of(const struct packet *p, __u16 port)
{
	return hash_words(p->dst, p->protocol) >> (64 + 16 - PRINT_TARGET_BITS) << 16 | port;
}

static __always_inline int remembers(const struct source *s, const struct probe *probe)
{
	__u32 n = s->counted < PROBE_SLOTS ? s->counted : PROBE_SLOTS;

	for (__u32 i = 0; i < PROBE_SLOTS; i++) {
		if (i >= n)
			return 0;
		if (covers(s->prints[i], probe))
			return 1;
	}
	return 0;
}

/* Back at zero, or through with a ban: forgotten, ports and all. */
static __always_inline int is_over(const struct source *s, __u64 now)
{
	if (s->banned_until)
		return now >= s->banned_until;
	return !points_of(s->score, now) && !points_of(s->udp_score, now);
}

/* Counted before, and not yet forgotten. */
static __always_inline int is_repeated(struct suspect *x)
{
	struct source *s = find_source(x);

	x->has_entry = s != NULL;
	if (!s)
		return is_noted(x->hash, &x->probe, x->now);
	return remembers(s, &x->probe) && !is_over(s, x->now);
}

static __always_inline void begin(struct source *s, const struct suspect *x, __u64 first)
{
	s->score = 0;
	s->udp_score = 0;
	s->first = first;
	s->banned_until = 0;
	__builtin_memcpy(s->addr, x->p.src, sizeof(s->addr));
	s->kinds = 0;
	s->flags = 0;
	s->counted = 0;
	s->ifindex = x->ifindex;
	s->proven = 0;
	__builtin_memset(s->tools, 0, sizeof(s->tools));
}

/* Returns how many were counted before. */
static __always_inline __u32 remember(struct source *s, __u32 print)
{
	__u32 nth = __sync_fetch_and_add(&s->counted, 1);

	s->prints[nth & (PROBE_SLOTS - 1)] = print;
	__sync_fetch_and_or(&s->kinds, 1U << kind_in(print));
	return nth;
}

static __always_inline void note_tool(struct source *s, __u8 tool)
{
	__u8 *votes = &s->tools[tool & (TOOL_SLOTS - 1)];

	if (*votes < 255)
		(*votes)++;
}

/* The port that was tried first, now on another of the host's addresses:
 * a probe of addresses rather than of ports.
 */
static __always_inline int is_sweep(const struct source *s, const struct probe *probe)
{
	__u32 first = s->prints[0];
	__u16 port = probe->target & PRINT_PORT;

	return s->counted && port && (first & PRINT_PORT) == port &&
	       !is_same_target(first, probe->target) &&
	       (kind_in(first) == probe->kind || kind_in(first) == KIND_SWEEP);
}

static __always_inline int is_udp_kind(__u8 kind)
{
	return kind == KIND_UDP || kind == KIND_SWEEP;
}

/* A hash of the address: several may share the key of an IPv6 source. */
static __always_inline __u32 sender_of(const struct suspect *x)
{
	return x->p.ipv6 ? hash_words(x->p.src, 0) >> 32 | 1 : 1;
}

/* Thresholds as low as one probe leave no time for the filter; in a flood
 * it holds what does not bring a ban.
 */
static __always_inline int is_due(struct suspect *x)
{
	int udp = is_udp_kind(x->probe.kind);
	struct bar bar = {2, udp ? udp_alert_score : alert_score};
	struct bar flooded = {FIRST_PRINTS + 1, udp ? udp_ban_score : ban_score};

	return note_first(x->hash, &x->probe, sender_of(x), bar, flooded, x->now, &x->before);
}

/* Whether the failure went on file, which is then all there is to do. Asked
 * once of each, after is_repeated: x->due keeps the answer.
 */
static __always_inline int is_filed(struct suspect *x)
{
	__builtin_memset(&x->before, 0, sizeof(x->before));
	x->met = note_company(x);
	x->due = x->has_entry || is_due(x);
	return !x->due;
}

/* Moves what a source had on file into its new entry. */
__noinline int take_over(struct source *s, const struct newcomer *before, __u64 first)
{
	if (!s || !before)
		return 0;
	for (int i = 0; i < FIRST_PRINTS; i++) {
		__u32 print = before->prints[i];
		int udp = is_udp_kind(kind_in(print));

		if (i >= before->count)
			break;
		add_points(udp ? &s->udp_score : &s->score, points_in(print),
			   2 * (udp ? udp_ban_score : ban_score), first);
		remember(s, print);
	}
	return 0;
}

/* The source's entry with this failure noted, which is not on file; made if
 * there is none. NULL: it could not be. x->nth: how many it had before.
 */
static __always_inline struct source *note_failure(struct suspect *x)
{
	const struct newcomer *before = &x->before;
	struct source *s = find_source(x);
	__u64 first = x->now;

	x->due = 0;
	if (!s) {
		/* Before, for other CPUs; after, in case that it was just cleared. */
		set_hint(x->hash, HINT_SOURCE);
		s = entry_made(&sources, x, &blank_source);
		set_hint(x->hash, HINT_SOURCE);
		if (!s) {
			count(LOST_SOURCE);
			return NULL;
		}
		if (before->count)
			first -= first_age_ns(before, x->now);
	}
	if (is_over(s, x->now))
		begin(s, x, first);
	if (before->count) {
		take_over(s, before, first);
		if (before->from != sender_of(x))
			__sync_fetch_and_or(&s->flags, SOURCE_MANY);
	}
	if (is_sweep(s, &x->probe))
		x->probe.kind = KIND_SWEEP;
	if (!same_address(s->addr, x->p.src))
		__sync_fetch_and_or(&s->flags, SOURCE_MANY);
	x->nth = remember(s, print_of(&x->probe));
	note_tool(s, x->g.tool);
	s->last = x->now;
	return s;
}

#endif
