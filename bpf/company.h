/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_COMPANY_H
#define DENMAP_COMPANY_H

#include "filter.h"

/* Whether others send what a source sends, at the same moment: nmap sends
 * each probe for all its decoys before the next. User space waits for the
 * others of a group before it tells of one, and need not where there is none.
 */
#define COMPANY_SLOTS 256

/* The latest failure with some target. CPUs that write one at once may mix
 * it up, which costs a wait or spares one.
 */
struct latest {
	__u32 target; /* the low PRINT_TARGET_BITS of a print */
	__u32 source; /* of the hash of its key */
	__u32 moment; /* FIRST_TICK_BITS of boot time */
	__be16 sport; /* decoys share it */
	__u16 pad;
};

/* Of the interface: not shared between programs. */
static struct latest company[COMPANY_SLOTS];

static __always_inline struct latest *latest_at(__u32 target)
{
	return &company[(target ^ target >> 8) & (COMPANY_SLOTS - 1)];
}

/* Notes a failure. Returns whether that of another source was there. */
static __always_inline int note_company(const struct suspect *x)
{
	struct latest *l = latest_at(x->probe.target);
	__u32 source = x->hash, moment = x->now >> FIRST_TICK_BITS;
	int met = l->target == x->probe.target && l->sport == x->s.sport && l->source != source &&
		  moment - l->moment <= 1;

	l->target = x->probe.target;
	l->source = source;
	l->moment = moment;
	l->sport = x->s.sport;
	return met;
}

/* Whether nobody else sent the source's last failure but one, since its own.
 * A first failure leaves it open.
 */
static __always_inline int is_alone(const struct suspect *x, const struct source *s)
{
	__u32 last = s->prints[(x->nth - 1) & (PROBE_SLOTS - 1)];
	struct latest *l = latest_at(last & (PRINT_TWO_POINTS - 1));

	return x->nth && !x->met && l->source == (__u32)x->hash && is_same_target(last, l->target);
}

#endif
