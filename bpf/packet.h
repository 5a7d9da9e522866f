/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_PACKET_H
#define DENMAP_PACKET_H

#include <linux/in.h>
#include <linux/types.h>

/* Every parse_x moves pos behind what it parsed on success and leaves it
 * alone on failure.
 */
struct cursor {
	void *pos;
	void *end;
};

enum fragment {
	NOT_FRAGMENT,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
};

/* What the network layer says of a packet. */
struct packet {
	__be32 src[4]; /* IPv4 mapped */
	__be32 dst[4];
	__u32 length; /* bytes of the transport segment, as the IP header counts */
	__u32 offset; /* of the IP header */
	__u32 total;  /* bytes from the IP header on, as it counts */
	__u32 ipv6;
	__u32 flow_label;
	__be16 network; /* protocol behind more than VLAN_DEPTH tags */
	__u16 id;	/* host order, IPv4 */
	__u8 ttl;
	__u8 df; /* don't fragment; IPv6 routers never do */
	__u8 protocol;
	__u8 fragment;	   /* enum fragment */
	__u8 unfinished;   /* the extension headers go on beyond EXTENSION_DEPTH */
	__u8 overtagged;   /* the VLAN tags go on beyond VLAN_MOST */
	__u8 addressed;	   /* src and dst are known, whatever follows */
	__u8 mac_is_ours;  /* unicast to this interface */
	__u8 mac_is_group; /* broadcast or multicast */
};

/* The part of a TCP segment that classification looks at. */
struct segment {
	__be16 sport;
	__be16 dport;
	__u32 seq; /* host order */
	__u32 ack;
	__u16 window;
	__u8 flags;	   /* as on the wire: FIN is bit 0 */
	__u8 header;	   /* bytes */
	__u32 payload;	   /* bytes */
	__u64 options;	   /* their kinds in order, kind + 1 in four bits each; SYN only */
	__u16 mss;	   /* 0: none */
	__u8 walked;	   /* bytes of options looked at */
	__u8 stamp_is_odd; /* a timestamp of 0xffffffff */
};

/* The cursor behind what a walk passed; offset is what that returned. */
static __always_inline int move_to(struct cursor *c, struct xdp_md *ctx, int offset)
{
	if (offset < 0)
		return -1;
	c->pos = (void *)(long)ctx->data + (offset & 0x7fff);
	return 0;
}

#endif
