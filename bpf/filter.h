/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_FILTER_H
#define DENMAP_FILTER_H

#include "address.h"

/* The first failures of a source wait here, so that a flood of forged
 * sources never reaches the source table: of one packet each at any time,
 * of up to FIRST_PRINTS each while entries are wanted more than entry_limit
 * times a second. A failure takes the next file of a ring, with what the
 * source had before, unless that was noted a moment ago. A scanner is lost
 * when half of FIRST_FILES others came since, 1.3 s at 100,000 forged sources
 * a second, or at most FIRST_FILES; or four newer ones to its set.
 *
 * An index by hash of the source says where its file is, in sets of four:
 * the oldest of a set gives way. It is small enough for the cache of a
 * processor, and files are written one after another, so a flood costs
 * little memory traffic.
 *
 * Two sources share set and tag once in 2^48 pairs; one is then taken for
 * the other. Of two CPUs that note failures in one set at once one may lose
 * its own.
 */
#define FIRST_TICK_BITS 26 /* of 67 ms; 32 bits of them are nine years */
#define FIRST_TICK_NS (1ULL << FIRST_TICK_BITS)
#define FROM_MANY 0 /* no hash: they are odd */

#define FILE_MASK (FIRST_FILES - 1)
#define SERIAL_MASK (16 * FIRST_FILES - 1) /* of an index entry: which file, in 16 rounds */
#define SHORT_TAG (~(__u32)SERIAL_MASK)	   /* the bits of its tag */

static __always_inline __u32 print_of(const struct probe *probe)
{
	return probe->target | (probe->points > 1 ? PRINT_TWO_POINTS : 0) |
	       (__u32)probe->kind << PRINT_KIND_SHIFT;
}

static __always_inline __u8 kind_in(__u32 print)
{
	return print >> PRINT_KIND_SHIFT;
}

static __always_inline __u32 points_in(__u32 print)
{
	return print & PRINT_TWO_POINTS ? 2 : 1;
}

static __always_inline int is_same_target(__u32 print, __u32 target)
{
	return !((print ^ target) & (PRINT_TWO_POINTS - 1));
}

/* Whether a probe that was counted leaves this one nothing to count for. It
 * may say more at the same port: two points, where a SYN was worth one,
 * half-open at an open port say.
 */
static __always_inline int covers(__u32 print, const struct probe *probe)
{
	return is_same_target(print, probe->target) &&
	       (probe->points <= points_in(print) || kind_in(print) != KIND_SYN);
}

static __always_inline __u32 points_on_file(const struct newcomer *f)
{
	__u32 points = 0;

	for (int i = 0; i < FIRST_PRINTS; i++)
		if (i < f->count)
			points += points_in(f->prints[i]);
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

static __always_inline int is_on_file(const struct newcomer *f, const struct probe *probe)
{
	for (int i = 0; i < FIRST_PRINTS; i++)
		if (i < f->count && covers(f->prints[i], probe))
			return 1;
	return 0;
}

static __always_inline __u32 tag_of(__u64 source)
{
	return (__u32)source | 1;
}

/* Where the index may name the file of a source, by the hash of its key. */
static __always_inline struct index_set *find_set(__u64 source)
{
	__u32 set = source >> 47 & (FIRST_SETS - 1);

	return bpf_map_lookup_elem(&first_index, &set);
}

static __always_inline struct newcomer *file_at(__u32 entry)
{
	__u32 index = entry & FILE_MASK;

	return bpf_map_lookup_elem(&first_failures, &index);
}

/* The source's file, NULL: none, or decayed. *at: its place in the set. */
static __always_inline struct newcomer *find_file(const struct index_set *set, __u32 tag, __u64 now,
						  __u32 *at)
{
	for (__u32 i = 0; i < FIRST_WAYS; i++) {
		__u32 entry = *(volatile __u32 *)&set->entries[i];
		struct newcomer *f;

		if ((entry ^ tag) & SHORT_TAG)
			continue;
		f = file_at(entry);
		if (f && f->tag == tag && !is_blank(f, now)) {
			*at = i;
			return f;
		}
	}
	return NULL;
}

/* The place in a set that nobody uses, or whose file is the oldest. */
static __always_inline __u32 oldest_of(const struct index_set *set, __u32 next)
{
	__u32 oldest = 0, longest = 0;

	for (__u32 i = 0; i < FIRST_WAYS; i++) {
		__u32 entry = set->entries[i], age = (next - entry) & SERIAL_MASK;

		if (!entry)
			return i;
		if (age >= longest) {
			longest = age;
			oldest = i;
		}
	}
	return oldest;
}

/* Whether this very probe is already noted: asked before any costly look. */
static __always_inline int is_noted(__u64 source, const struct probe *probe, __u64 now)
{
	struct index_set *set = find_set(source);
	struct newcomer *f;
	__u32 at;

	if (!set)
		return 0;
	f = find_file(set, tag_of(source), now, &at);
	return f && is_on_file(f, probe);
}

/* Whether forged sources flood the table: counts the attempt, not the source.
 * One that is put off may try twice more, with its third failure and with
 * the fourth, which brings it in.
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

/* Notes a failure of the source with this hash. Returns 1 when it is due
 * for an entry; *before is then what it had on file, without this one.
 */
static __always_inline int note_first(__u64 source, const struct probe *probe, __u32 from,
				      struct bar bar, struct bar flooded, __u64 now,
				      struct newcomer *before)
{
	__u32 tag = tag_of(source), zero = 0, at = FIRST_WAYS, points, count, next, *ring;
	struct index_set *set = find_set(source);
	struct newcomer *f;

	if (!set)
		return 0;
	f = find_file(set, tag, now, &at);
	if (f)
		*before = *f;
	count = before->count + 1;
	points = points_on_file(before) + probe->points;
	if (count >= bar.failures || points >= bar.points) {
		if (!is_flooded(now) || count >= flooded.failures || points >= flooded.points) {
			if (f && !__sync_bool_compare_and_swap(&f->tag, tag, 0))
				before->count = 0; /* another CPU was first to take it */
			if (f)
				set->entries[at & (FIRST_WAYS - 1)] = 0;
			return 1;
		}
	}
	ring = bpf_map_lookup_elem(&first_next, &zero);
	if (!ring || count > FIRST_PRINTS)
		return 0;
	if (f)
		f->tag = 0;
	/* Of a source that comes back at once no other pays a file. */
	if (!f || ((*ring - set->entries[at & (FIRST_WAYS - 1)]) & SERIAL_MASK) > FIRST_FILES / 2) {
		next = __sync_fetch_and_add(ring, 1);
		f = file_at(next);
		if (!f)
			return 0;
		if (at >= FIRST_WAYS)
			at = oldest_of(set, next);
		set->entries[at & (FIRST_WAYS - 1)] = (tag & SHORT_TAG) | (next & SERIAL_MASK);
	}
	*f = *before;
	f->tag = 0;
	if (!before->count)
		f->first = now >> FIRST_TICK_BITS;
	f->from = before->count && before->from != from ? FROM_MANY : from;
	f->prints[count - 1] = print_of(probe);
	f->count = count;
	f->tag = tag;
	return 0;
}

#endif
