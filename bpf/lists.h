/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_LISTS_H
#define DENMAP_LISTS_H

#include "address.h"

/* An element of an array of arrays. */
static __always_inline void *element(void *chunks, __u32 chunk, __u32 index)
{
	void *piece = bpf_map_lookup_elem(chunks, &chunk);

	return piece ? bpf_map_lookup_elem(piece, &index) : NULL;
}

/* Whether a set holds an IPv4 address: a root for each /16, behind it a
 * block with two bits for each /24, behind that a leaf with a bit for each
 * address. A big set also marks each /23 that holds anything: where root and
 * mark are is known from the address alone, so both are fetched at once, and
 * they settle most random sources of a host with a million entries.
 */
static __always_inline int holds(enum list_set set, enum list list, __be32 addr)
{
	__u32 a = bpf_ntohl(addr), word = a >> 13 & 7, before = a >> 7 & 62;
	struct block *block;
	__u64 spread, some;
	struct leaf *leaf;
	struct row *row;
	__u64 *marks;

	row = element(&list_roots, set, (a >> 16) / ROOT_ROW);
	if (!row)
		return 0;
	/* Once: it may change meanwhile. */
	a = *(volatile __u32 *)&row->roots[(a >> 16) % ROOT_ROW];
	if (a < SPREAD_FIRST)
		return a;
	marks = element(&list_marks, set, bpf_ntohl(addr) >> 15);
	if (marks && !(*marks >> (bpf_ntohl(addr) >> 9 & 63) & 1))
		return 0;
	a -= SPREAD_FIRST;
	block = element(&list_blocks, list * BLOCK_CHUNKS + a / BLOCK_CHUNK, a % BLOCK_CHUNK);
	if (!block)
		return 0;
	spread = block->spread[word];
	if ((spread >> before & 3) != SPREAD_SOME)
		return spread >> before & 3;
	some = spread >> 1 & 0x5555555555555555ULL & ((1ULL << before) - 1);
	a = block->leaf + block->rank[word] + __builtin_popcountll(some);
	leaf = element(&list_leaves, list * LEAF_CHUNKS + a / LEAF_CHUNK, a % LEAF_CHUNK);
	a = bpf_ntohl(addr);
	return leaf && leaf->bits[a >> 6 & 3] >> (a & 63) & 1;
}

static __always_inline int guided(void *guide, const struct prefix *key)
{
	__u64 h = hash_key(key), *word;
	__u64 bits = 1ULL << (h >> 20 & 63) | 1ULL << (h >> 26 & 63);
	__u32 index = GUIDE_HEADS + (h >> 46);

	word = bpf_map_lookup_elem(guide, &index);
	return word && (*word & bits) == bits;
}

/* Whether the address may match anything: by its first 16 bits, and by its
 * first 32, under which every entry of at least SHORT_BITS is noted.
 */
static __always_inline int may_match(__u32 list, const struct packet *p)
{
	__u32 top = bpf_ntohl(p->src[0]) >> 16, index = top / 32, head;
	struct prefix key = {.len = 32, .addr = {p->src[0]}};
	void *guide = bpf_map_lookup_elem(&list6_guides, &list);
	__u64 *word;

	if (!guide)
		return 0;
	word = bpf_map_lookup_elem(guide, &index);
	head = word ? *word >> top % 32 * 2 & 3 : HEAD_NONE;
	return head == HEAD_LONG ? guided(guide, &key) : head != HEAD_NONE;
}

/* The enum list_flags of the entry of one length, 0: none. A function of its
 * own, so that the verifier reads it once and not for each length.
 */
__noinline int entry_flags(struct packet *p, __u32 list, __u32 len)
{
	__u32 index = list & (LISTS - 1);
	void *guide, *table;
	struct prefix key;
	__u32 *flags;

	if (!p)
		return 0;
	guide = bpf_map_lookup_elem(&list6_guides, &index);
	__builtin_memcpy(key.addr, p->src, sizeof(key.addr));
	shorten(&key, len);
	if (!guide || (len >= SHORT_BITS && !guided(guide, &key)))
		return 0;
	table = bpf_map_lookup_elem(&list6_tables, &index);
	flags = table ? bpf_map_lookup_elem(table, &key) : NULL;
	return flags ? *flags : 0;
}

/* The enum list_flags of an IPv6 address that may match, 0: not listed. The
 * longest entry decides. Lists know nothing of interfaces: a link-local
 * address is listed as it is.
 */
__noinline int flags_of_ipv6(struct packet *p, __u32 list)
{
	__u32 zero = 0, flags;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (!p || !gate)
		return 0;
	if (gate->whole[list & (LISTS - 1)]) {
		flags = entry_flags(p, list, WHOLE_ADDRESS);
		if (flags)
			return flags;
	}
	for (int half = 1; half >= 0; half--) {
		__u64 left = gate->lengths[list & (LISTS - 1)][half & 1];

		for (int i = 0; i < 64 && left; i++) {
			__u32 bit = 63 - __builtin_clzll(left);

			left &= ~(1ULL << (bit & 63));
			flags = entry_flags(p, list, half * 64 + bit);
			if (flags)
				return flags;
		}
	}
	return 0;
}

#define ALLOW_SETS (1 << SET_ALLOW | 1 << SET_WATCH)

/* Whether the allow list is worth a call. */
static __always_inline int may_be_allowed(const struct gate *gate)
{
	return gate->sets & ALLOW_SETS || gate->tables & 1 << LIST_ALLOW;
}

/* The enum list_flags of an address on the allow list, 0: not listed. */
__noinline int allow_flags(struct packet *p)
{
	__u32 zero = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (!p || !gate)
		return 0;
	if (p->ipv6)
		return gate->tables & 1 << LIST_ALLOW && may_match(LIST_ALLOW, p)
			   ? flags_of_ipv6(p, LIST_ALLOW)
			   : 0;
	if (gate->sets & 1 << SET_ALLOW && holds(SET_ALLOW, LIST_ALLOW, p->src[3]))
		return LIST_LISTED;
	if (gate->sets & 1 << SET_WATCH && holds(SET_WATCH, LIST_ALLOW, p->src[3]))
		return LIST_LISTED | LIST_WATCH;
	return 0;
}

static __always_inline int is_denied(const struct gate *gate, struct packet *p)
{
	if (p->ipv6)
		return gate->tables & 1 << LIST_DENY && may_match(LIST_DENY, p) &&
		       flags_of_ipv6(p, LIST_DENY);
	return gate->sets & 1 << SET_DENY && holds(SET_DENY, LIST_DENY, p->src[3]);
}

#endif
