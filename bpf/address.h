/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_ADDRESS_H
#define DENMAP_ADDRESS_H

#include <bpf/bpf_endian.h>

#include "maps.h"
#include "packet.h"

#define WHOLE_ADDRESS 128

static __always_inline int is_link_local(const __be32 addr[4])
{
	return (addr[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* 64:ff9b::/96, IPv4 hosts behind a translator: RFC 6052 2.1. */
static __always_inline int is_nat64(const __be32 addr[4])
{
	return addr[0] == bpf_htonl(0x0064ff9b) && !addr[1] && !addr[2];
}

static __always_inline int is_unicast(const struct packet *p)
{
	__u32 v4;

	if (p->mac_is_group)
		return 0;
	if (p->ipv6)
		return *(__u8 *)p->dst != 0xff;
	v4 = bpf_ntohl(p->dst[3]);
	return v4 >> 28 != 0xe && v4 != 0xffffffff;
}

static __always_inline int same_address(const __be32 a[4], const __be32 b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static __always_inline __u32 own_slot(const __be32 addr[4])
{
	return (addr[0] ^ addr[1] ^ addr[2] ^ addr[3]) * 0x9e3779b1U >> 24;
}

/* The whole address, a link-local one with its interface. */
static __always_inline void whole_address(struct prefix *out, const __be32 addr[4], __u32 ifindex)
{
	out->len = WHOLE_ADDRESS;
	__builtin_memcpy(out->addr, addr, sizeof(out->addr));
	if (is_link_local(addr))
		out->addr[1] = bpf_htonl(ifindex);
}

static __always_inline __be32 word_mask(__u32 len, __u32 word)
{
	__u32 bits = len > word * 32 ? len - word * 32 : 0;

	return bits >= 32 ? ~0U : bpf_htonl(~(~0U >> bits));
}

static __always_inline void shorten(struct prefix *p, __u32 len)
{
	p->len = len;
	for (int i = 0; i < 4; i++)
		p->addr[i] &= word_mask(len, i);
}

/* A 64-bit mix of four words: multiply and fold, keyed by the loader so
 * that a sender cannot aim at a slot.
 */
static __always_inline __u64 hash_words(const __be32 w[4], __u64 salt)
{
	__u64 h = hash_seed ^ salt;

	h = (h ^ ((__u64)w[0] << 32 | w[1])) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 32;
	h = (h ^ ((__u64)w[2] << 32 | w[3])) * 0xd6e8feb86659fd93ULL;
	h ^= h >> 29;
	return h * 0x9e3779b97f4a7c15ULL;
}

static __always_inline __u64 hash_key(const struct prefix *key)
{
	return hash_words(key->addr, key->len);
}

/* Which tables may hold a key, by its hash: enum hint. */
static __always_inline __u32 hints_of(__u64 h, __u32 half)
{
	__u32 index = (half & 1) * HINT_WORDS + (h >> 49);
	__u64 *word = bpf_map_lookup_elem(&table_hints, &index);

	return word ? *word >> (h >> 43 & 60) & 15 : 0;
}

/* Notes that a table holds the key with this hash. */
static __always_inline void set_hint(__u64 h, enum hint what)
{
	__u64 bit = (__u64)what << (h >> 43 & 60), *word;

	for (__u32 half = 0; half < 2; half++) {
		__u32 index = half * HINT_WORDS + (h >> 49);

		word = bpf_map_lookup_elem(&table_hints, &index);
		if (word)
			__sync_fetch_and_or(word, bit);
	}
	if (what != HINT_SOURCE)
		set_mark(MARK_BANS);
}

static __always_inline __u32 onlink_bit(const __be32 addr[4])
{
	return (addr[0] ^ addr[1]) * 0x9e3779b1U >> 26;
}

/* Whether an IPv6 address is in a directly connected prefix. Few are, so a
 * word says which are not: a trie is dear.
 */
static __always_inline int is_onlink(const struct prefix *key)
{
	__u32 zero = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (gate && !(gate->onlink >> onlink_bit(key->addr) & 1))
		return 0;
	return bpf_map_lookup_elem(&onlink, key) != NULL;
}

/* Under which prefix a source is scored: IPv4 alone; IPv6 by ipv6_prefix,
 * but alone where neighbours share a prefix for other reasons.
 */
static __always_inline void source_key(struct prefix *out, const struct packet *p, __u32 ifindex)
{
	struct prefix key; /* on the stack: see entry_of */

	whole_address(&key, p->src, ifindex);
	if (p->ipv6 && !is_link_local(p->src) && !is_nat64(p->src) && !is_onlink(&key))
		shorten(&key, ipv6_prefix);
	*out = key;
}

#endif
