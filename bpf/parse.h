/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_PARSE_H
#define DENMAP_PARSE_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "packet.h"

#define EXTENSION_DEPTH 16 /* IPv6 extension headers walked; Linux accepts at least 12 */

/* ICMP errors, RFC 792. linux/icmp.h would pull in the C library. */
#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

#define IPV4_MF 0x2000
#define IPV4_DF 0x4000
#define IPV4_OFFSET 0x1fff

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
	return move_to(c, ctx, offset);
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
