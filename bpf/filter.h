/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_FILTER_H
#define DENMAP_FILTER_H

#include "address.h"

/* The first failures of a source wait here, so that a flood of forged
 * sources never reaches the source table: of one packet each at any time,
 * of up to FIRST_PRINTS each while more than entry_limit sources a second
 * want an entry. The source of a set that was quiet for longest gives way,
 * so a scanner stays that comes back before four others hit its set: after
 * 2.6 s at 100,000 forged sources a second.
 *
 * Two sources share set and tag once in 2^47 pairs; one is then taken for
 * the other. Two CPUs that write one entry at once may mix two failures.
 */
#define FIRST_TICK_BITS 26 /* of 67 ms; 32 bits of them are nine years */
#define FIRST_TICK_NS (1ULL << FIRST_TICK_BITS)
#define TWO_POINTS 0x80
#define FROM_MANY 0 /* no hash: they are odd */

static __always_inline __u32 points_on_file(const struct newcomer *f)
{
	__u32 points = 0;

	for (int i = 0; i < FIRST_PRINTS; i++)
		if (i < f->count)
			points += f->kinds[i] & TWO_POINTS ? 2 : 1;
	return points;
}

static __always_inline __u64 first_age_ns(const struct newcomer *f, __u64 now)
{
	return (__u64)((__u32)(now >> FIRST_TICK_BITS) - f->first) * FIRST_TICK_NS;
}

/* Free, or decayed like a score of as many points. */
static __always_inline int is_blank(const struct newcomer *f, __u64 now)
{
	return !f->tag || first_age_ns(f, now) >= points_on_file(f) * decay_ms * 1000000;
}

static __always_inline int is_on_file(const struct newcomer *f, __u32 print)
{
	for (int i = 0; i < FIRST_PRINTS; i++)
		if (i < f->count && f->prints[i] == print)
			return 1;
	return 0;
}

static __always_inline struct newcomers *first_set_of(const struct prefix *source, __u32 *tag)
{
	__u64 h = hash_words(source->addr, source->len);
	__u32 index = h >> 48 & (FIRST_SETS - 1);

	*tag = (__u32)h | 1;
	return bpf_map_lookup_elem(&first_failures, &index);
}

/* Whether this very probe is already noted: asked before any costly look. */
static __always_inline int is_noted(const struct prefix *source, __u32 print, __u64 now)
{
	__u32 tag;
	struct newcomers *set = first_set_of(source, &tag);

	if (!set)
		return 0;
	for (int i = 0; i < FIRST_WAYS; i++) {
		struct newcomer *f = &set->ways[i];

		if (f->tag == tag && is_on_file(f, print) && !is_blank(f, now))
			return 1;
	}
	return 0;
}

/* The source's file, or the one to use for it, which is then not its own. */
static __always_inline struct newcomer *file_of(struct newcomers *set, __u32 tag, __u64 now)
{
	struct newcomer *file = &set->ways[0];
	__u32 longest = 0;

	for (int i = 0; i < FIRST_WAYS; i++) {
		struct newcomer *f = &set->ways[i];
		__u32 quiet = (__u32)(now >> FIRST_TICK_BITS) - f->latest;

		if (is_blank(f, now))
			quiet = ~0U;
		else if (f->tag == tag)
			return f;
		if (quiet >= longest) {
			longest = quiet;
			file = f;
		}
	}
	return file;
}

/* Whether forged sources flood the table: counts this one, which wants an
 * entry.
 */
static __always_inline int is_flooded(__u64 now)
{
	__u32 zero = 0;
	__u64 second = now / 1000000000;
	struct pressure *p = bpf_map_lookup_elem(&pressures, &zero);

	if (!p)
		return 0;
	if (p->second != second) {
		p->before = p->second + 1 == second ? p->now : 0;
		p->now = 0;
		p->second = second;
	}
	return __sync_fetch_and_add(&p->now, 1) >= entry_limit || p->before > entry_limit;
}

/* What a source needs for an entry, in failures or in points. */
struct bar {
	__u32 failures;
	__u32 points;
};

/* Notes a failure. Returns 1 when the source is due for an entry; *before
 * is then what it had on file, without this one.
 */
static __always_inline int note_first(const struct prefix *source, const struct probe *probe,
				      __u32 from, struct bar bar, struct bar flooded, __u64 now,
				      struct newcomer *before)
{
	__u32 tag, points, count = 0;
	struct newcomers *set = first_set_of(source, &tag);
	struct newcomer *f;

	if (!set)
		return 0;
	f = file_of(set, tag, now);
	if (f->tag == tag && !is_blank(f, now))
		*before = *f;
	count = before->count + 1;
	points = points_on_file(before) + probe->points;
	if (count >= bar.failures || points >= bar.points) {
		if (!is_flooded(now) || count >= flooded.failures || points >= flooded.points) {
			if (before->count && !__sync_bool_compare_and_swap(&f->tag, tag, 0))
				before->count = 0; /* another CPU was first to take it */
			return 1;
		}
	}
	if (count > FIRST_PRINTS)
		return 0;
	f->tag = 0;
	if (!before->count)
		f->first = now >> FIRST_TICK_BITS;
	f->from = before->count && before->from != from ? FROM_MANY : from;
	f->latest = now >> FIRST_TICK_BITS;
	f->prints[count - 1] = probe->print;
	f->kinds[count - 1] = probe->kind | (probe->points > 1 ? TWO_POINTS : 0);
	f->count = count;
	f->tag = tag;
	return 0;
}

#endif
