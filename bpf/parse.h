/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_PARSE_H
#define DENMAP_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "maps.h"

#define VLAN_DEPTH 1	   /* tags parsed without a call */
#define VLAN_MOST 16	   /* tags walked in all: Linux takes any number of priority tags */
#define EXTENSION_DEPTH 16 /* IPv6 extension headers walked; Linux accepts at least 12 */
#define TCP_OPTIONS 12	   /* TCP options looked at; real SYNs carry at most 9 */

/* ICMP errors, RFC 792. linux/icmp.h would pull in the C library. */
#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOPT_TIMESTAMP 8

#define IPV4_MF 0x2000
#define IPV4_DF 0x4000
#define IPV4_OFFSET 0x1fff

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

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

struct extension_header {
	__u8 next;
	__u8 length;
	__be16 offset; /* of a fragment header */
};

/* IPv4 in IPv6 form: RFC 4291 2.5.5.2. */
static __always_inline void map_ipv4(__be32 out[4], __be32 addr)
{
	out[0] = 0;
	out[1] = 0;
	out[2] = bpf_htonl(0xffff);
	out[3] = addr;
}

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

	if (offset < 0)
		return -1;
	c->pos = (void *)(long)ctx->data + (offset & 0x7fff);
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

static __always_inline int parse_ipv4(struct cursor *c, struct packet *p)
{
	struct iphdr *ip = c->pos;
	__u32 header, total;
	__u16 frag;

	if ((void *)(ip + 1) > c->end)
		return -1;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header)
		return -1;
	if (c->pos + header > c->end)
		return -1;
	map_ipv4(p->src, ip->saddr);
	map_ipv4(p->dst, ip->daddr);
	p->addressed = 1;
	frag = bpf_ntohs(ip->frag_off);
	p->fragment = frag & IPV4_OFFSET ? LATER_FRAGMENT
		      : frag & IPV4_MF	 ? FIRST_FRAGMENT
					 : NOT_FRAGMENT;
	p->df = !!(frag & IPV4_DF);
	p->id = bpf_ntohs(ip->id);
	p->ttl = ip->ttl;
	p->protocol = ip->protocol;
	p->length = total - header;
	p->total = total;
	c->pos += header;
	return 0;
}

static __always_inline int is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT || next == IPPROTO_AH;
}

/* Walks the extension headers (RFC 8200 4) that begin at offset, and leaves
 * behind them what the caller finds in p. What follows a later fragment is
 * not looked at. Returns the offset of the transport header, or -1.
 *
 * A function of its own, as every one below that is not inlined: the
 * verifier checks it once, not once per path that leads to it.
 */
__noinline int walk_extensions(struct xdp_md *ctx, struct packet *p, __u32 offset)
{
	void *end = (void *)(long)ctx->data_end;
	__u32 size;

	if (!p)
		return -1;
	for (int i = 0; i < EXTENSION_DEPTH; i++) {
		struct extension_header *ext = (void *)(long)ctx->data + (offset & 0x7fff);

		if (!is_extension(p->protocol) || p->fragment == LATER_FRAGMENT)
			return offset;
		if ((void *)(ext + 1) > end)
			return -1;
		size = p->protocol == IPPROTO_FRAGMENT ? 8
		       : p->protocol == IPPROTO_AH     ? (ext->length + 2) * 4
						       : (ext->length + 1) * 8;
		if (size > p->length)
			return -1;
		if (p->protocol == IPPROTO_FRAGMENT) {
			__u16 field = bpf_ntohs(ext->offset);

			p->fragment = field & 0xfff8 ? LATER_FRAGMENT
				      : field & 1    ? FIRST_FRAGMENT
						     : NOT_FRAGMENT;
		}
		p->protocol = ext->next;
		p->length -= size;
		offset += size;
	}
	p->unfinished = is_extension(p->protocol);
	return offset;
}

static __always_inline int parse_ipv6(struct xdp_md *ctx, struct cursor *c, struct packet *p)
{
	struct ipv6hdr *ip = c->pos;
	int offset;

	if ((void *)(ip + 1) > c->end || ip->version != 6)
		return -1;
	__builtin_memcpy(p->src, &ip->saddr, sizeof(p->src));
	__builtin_memcpy(p->dst, &ip->daddr, sizeof(p->dst));
	/* Linux takes no such source, and it would pass for IPv4 here. */
	if (!p->src[0] && !p->src[1] && p->src[2] == bpf_htonl(0xffff))
		return -1;
	p->addressed = 1;
	p->ipv6 = 1;
	p->df = 1;
	p->ttl = ip->hop_limit;
	p->flow_label = (ip->flow_lbl[0] & 0xf) << 16 | ip->flow_lbl[1] << 8 | ip->flow_lbl[2];
	p->length = bpf_ntohs(ip->payload_len);
	p->total = p->length + sizeof(*ip);
	p->protocol = ip->nexthdr;
	c->pos = ip + 1;
	if (!is_extension(p->protocol))
		return 0;
	offset = walk_extensions(ctx, p, c->pos - (void *)(long)ctx->data);
	if (offset < 0)
		return -1;
	c->pos = (void *)(long)ctx->data + (offset & 0x7fff);
	return 0;
}

/* The fixed header, which must be whole: see is_tiny_fragment. */
static __always_inline int parse_tcp(struct cursor *c, struct packet *p, struct segment *s)
{
	struct tcphdr *tcp = c->pos;

	if ((void *)(tcp + 1) > c->end)
		return -1;
	s->sport = tcp->source;
	s->dport = tcp->dest;
	s->seq = bpf_ntohl(tcp->seq);
	s->ack = bpf_ntohl(tcp->ack_seq);
	s->window = bpf_ntohs(tcp->window);
	s->flags = ((__u8 *)tcp)[13];
	s->header = tcp->doff * 4;
	if (s->header < sizeof(*tcp) || s->header > p->length)
		return -1;
	s->payload = p->length - s->header;
	c->pos = tcp + 1;
	return 0;
}

static __always_inline int parse_udp(struct cursor *c, struct packet *p, struct segment *s)
{
	struct udphdr *udp = c->pos;

	if ((void *)(udp + 1) > c->end || p->length < sizeof(*udp))
		return -1;
	s->sport = udp->source;
	s->dport = udp->dest;
	s->payload = p->length - sizeof(*udp);
	c->pos = udp + 1;
	return 0;
}

/* RFC 9260 3: the common header and the type of the first chunk. */
struct sctp_header {
	__be16 sport;
	__be16 dport;
	__be32 tag;
	__be32 checksum;
	__u8 chunk;
};

static __always_inline int parse_sctp(struct cursor *c, struct segment *s, __u8 *chunk)
{
	struct sctp_header *sctp = c->pos;

	if ((void *)(&sctp->chunk + 1) > c->end)
		return -1;
	s->sport = sctp->sport;
	s->dport = sctp->dport;
	*chunk = sctp->chunk;
	return 0;
}

/* Takes one option: its place in the order, and the few values that tell
 * stacks from scanners. Returns -1 at the end of what can be walked; an
 * option that runs past the header ends the walk, as it does in the kernel.
 */
static __always_inline int take_option(struct segment *s, __u8 *pos, void *end)
{
	__u32 kind, size, beyond, left = s->header - sizeof(struct tcphdr) - s->walked;

	if (!left || (void *)(pos + 1) > end)
		return -1;
	kind = pos[0];
	/* Without a branch, which would double the paths that the verifier sees. */
	beyond = 13 - kind;
	barrier_var(beyond);
	s->options = s->options << 4 | (((kind + 1) | (beyond >> 31) * 15) & 15);
	if (kind == TCPOPT_EOL)
		return -1;
	if (kind == TCPOPT_NOP) {
		s->walked++;
		return 0;
	}
	if ((void *)(pos + 2) > end)
		return -1;
	size = pos[1];
	if (size < 2 || size > left)
		return -1;
	s->walked += size;
	if (kind == TCPOPT_MSS && size == 4 && (void *)(pos + 4) <= end)
		s->mss = pos[2] << 8 | pos[3];
	if (kind == TCPOPT_TIMESTAMP && size == 10 && (void *)(pos + 6) <= end)
		s->stamp_is_odd = (pos[2] & pos[3] & pos[4] & pos[5]) == 0xff;
	return 0;
}

/* Walks the options that begin at offset. How far is kept in memory, not in
 * a register: the verifier then sees every round alike.
 */
__noinline int parse_options(struct xdp_md *ctx, struct segment *s, __u32 offset)
{
	__u8 *options = (void *)(long)ctx->data + (offset & 0x7fff);
	void *end = (void *)(long)ctx->data_end;

	if (!s)
		return -1;
	for (int i = 0; i < TCP_OPTIONS; i++)
		if (take_option(s, options + (s->walked & 63), end))
			break;
	return 0;
}

/* ICMP errors and neighbour discovery keep a host reachable and are never
 * dropped: RFC 792, RFC 4443 2, RFC 4861.
 */
static __always_inline int is_essential(struct cursor *c, struct packet *p)
{
	__u8 *type = c->pos;

	if (p->fragment == LATER_FRAGMENT || (void *)(type + 1) > c->end)
		return 0;
	if (p->protocol == IPPROTO_ICMP)
		return *type == ICMP_DEST_UNREACH || *type == ICMP_TIME_EXCEEDED ||
		       *type == ICMP_PARAMETERPROB;
	if (p->protocol == IPPROTO_ICMPV6)
		return *type < 128 || (*type >= 130 && *type <= 137) || *type == 143;
	return 0;
}

#endif
