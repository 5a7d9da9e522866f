/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_LINK_H
#define DENMAP_LINK_H

#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>

#include "maps.h"
#include "packet.h"

#define VLAN_DEPTH 1 /* tags parsed without a call */
#define VLAN_MOST 16 /* tags walked in all: Linux takes any number of priority tags */

/* IEEE 802.3 3.1.1, in words: the kernel's struct is packed, and compilers
 * read such byte by byte.
 */
struct ethernet_header {
	__be16 to[3];
	__be16 from[3];
	__be16 protocol;
};

static __always_inline int parse_ethernet(struct cursor *c, struct packet *p, __be16 *protocol)
{
	struct ethernet_header *eth = c->pos;

	if ((void *)(eth + 1) > c->end)
		return -1;
	p->mac_is_group = bpf_ntohs(eth->to[0]) >> 8 & 1;
	p->mac_is_ours =
	    eth->to[0] == own_mac[0] && eth->to[1] == own_mac[1] && eth->to[2] == own_mac[2];
	*protocol = eth->protocol;
	c->pos = eth + 1;
	return 0;
}

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

static __always_inline int is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/* Up to VLAN_DEPTH tags; what is behind may be one more. */
static __always_inline int parse_vlan(struct cursor *c, __be16 *protocol)
{
	for (int i = 0; i < VLAN_DEPTH; i++) {
		struct vlan_header *vlan = c->pos;

		if (!is_vlan(*protocol))
			return 0;
		if ((void *)(vlan + 1) > c->end)
			return -1;
		*protocol = vlan->protocol;
		c->pos = vlan + 1;
	}
	return 0;
}

/* Walks the tags behind those, which begin at offset. Linux takes off all
 * that name no VLAN (priority tags, 802.1Q), so a frame full of them arrives
 * like any other. Returns the offset of what follows, whose protocol is then
 * in p; -1: cut off, or p->overtagged.
 */
__noinline int walk_tags(struct xdp_md *ctx, struct packet *p, __u32 offset)
{
	void *end = (void *)(long)ctx->data_end;

	if (!p)
		return -1;
	for (int i = VLAN_DEPTH; i < VLAN_MOST; i++) {
		struct vlan_header *vlan = (void *)(long)ctx->data + (offset & 0x7fff);

		if ((void *)(vlan + 1) > end)
			return -1;
		p->network = vlan->protocol;
		offset += sizeof(*vlan);
		if (!is_vlan(p->network))
			return offset;
	}
	p->overtagged = 1;
	return -1;
}

static __always_inline int parse_more_tags(struct xdp_md *ctx, struct cursor *c, struct packet *p,
					   __be16 *protocol)
{
	int offset = walk_tags(ctx, p, c->pos - (void *)(long)ctx->data);

	if (move_to(c, ctx, offset))
		return -1;
	*protocol = p->network;
	return 0;
}

/* On a link without an Ethernet header the version nibble tells. */
static __always_inline int parse_raw_ip(struct cursor *c, struct packet *p, __be16 *protocol)
{
	__u8 *version = c->pos;

	if ((void *)(version + 1) > c->end)
		return -1;
	p->mac_is_ours = 1;
	*protocol = *version >> 4 == 4	 ? bpf_htons(ETH_P_IP)
		    : *version >> 4 == 6 ? bpf_htons(ETH_P_IPV6)
					 : 0;
	return 0;
}

#endif
