/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_ADDRESS_H
#define DENMAP_ADDRESS_H

#include "parse.h"

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

/* Under which prefix a source is scored: IPv4 alone; IPv6 by ipv6_prefix,
 * but alone where neighbours share a prefix for other reasons.
 */
static __always_inline void source_key(struct prefix *out, const struct packet *p, __u32 ifindex)
{
	struct prefix key; /* on the stack: see entry_of */

	whole_address(&key, p->src, ifindex);
	if (p->ipv6 && !is_link_local(p->src) && !is_nat64(p->src) &&
	    !bpf_map_lookup_elem(&onlink, &key))
		shorten(&key, ipv6_prefix);
	*out = key;
}

#endif
