/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_FILTER_H
#define DENMAP_FILTER_H

#include "address.h"

/* The first failure of a source waits here, so that a flood of forged
 * sources with one packet each never reaches the source table. A word:
 *
 *	63..48 tag of the source   47..44 kind   43 points - 1
 *	42..32 time, decay / 16    31..0  fingerprint of the probe
 *
 * Two sources share slot and tag once in 2^33 pairs; one is then taken for
 * the other's second failure.
 */
#define FILTER_TIME_BITS 11
#define FILTER_TIMES (1 << FILTER_TIME_BITS)

enum first {
	FIRST_NEW,	/* noted: the source has failed once */
	FIRST_REPEATED, /* the same probe again */
	FIRST_SECOND,	/* another probe: *before is the first */
};

struct first_failure {
	struct probe probe;
	__u64 age_ms;
};

static __always_inline __u64 filter_time(__u64 now)
{
	return now / 1000000 * 16 / decay_ms & (FILTER_TIMES - 1);
}

static __always_inline __u64 *filter_slot(const struct prefix *source, __u64 *tag)
{
	__u64 h = hash_words(source->addr, source->len);
	__u32 index = h >> 47 & (FILTER_SLOTS - 1);

	*tag = h & 0xffff;
	return bpf_map_lookup_elem(&first_failures, &index);
}

static __always_inline enum first note_first(const struct prefix *source, const struct probe *probe,
					     __u64 now, struct first_failure *before)
{
	__u64 tag, word, age, points, *slot = filter_slot(source, &tag);

	if (!slot)
		return FIRST_NEW;
	word = *slot;
	age = (filter_time(now) - (word >> 32)) & (FILTER_TIMES - 1);
	points = (word >> 43 & 1) + 1;
	if (word && word >> 48 == tag && age < 16 * points) {
		if ((__u32)word == probe->print)
			return FIRST_REPEATED;
		before->probe.points = points;
		before->probe.print = word;
		before->probe.kind = word >> 44 & 0xf;
		before->age_ms = age * decay_ms / 16;
		*slot = 0;
		return FIRST_SECOND;
	}
	*slot = tag << 48 | (__u64)probe->kind << 44 | (__u64)(probe->points - 1) << 43 |
		filter_time(now) << 32 | probe->print;
	return FIRST_NEW;
}

/* Whether this very probe is already noted: asked before any costly look. */
static __always_inline int is_noted(const struct prefix *source, __u32 print, __u64 now)
{
	__u64 tag, age, word, *slot = filter_slot(source, &tag);

	if (!slot)
		return 0;
	word = *slot;
	age = (filter_time(now) - (word >> 32)) & (FILTER_TIMES - 1);
	return word && word >> 48 == tag && (__u32)word == print &&
	       age < 16 * ((word >> 43 & 1) + 1);
}

#endif
