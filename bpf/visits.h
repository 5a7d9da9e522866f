/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_VISITS_H
#define DENMAP_VISITS_H

#include "classify.h"
#include "address.h"

/* Which sources used which open ports before anything spoke against them. A
 * forger can borrow the address of a real client, but not make it use ports
 * that are new to it.
 */
#define ANY_PORT 0

/* Whether the source has used the port; noted if it does so now. */
static __always_inline int has_used(const struct suspect *x, __be16 port, int now)
{
	__u64 h = hash_words(x->p.src, port);
	__u32 index = h >> 50 & (VISIT_WORDS - 1);
	__u64 bit = 1ULL << (h >> 44 & 63), *word = bpf_map_lookup_elem(&visits, &index);

	if (!word)
		return 1;
	if (now)
		__sync_fetch_and_or(word, bit);
	return !!(*word & bit);
}

static __always_inline void note_visit(const struct suspect *x)
{
	has_used(x, x->s.dport, 1);
	has_used(x, ANY_PORT, 1);
}

#endif
