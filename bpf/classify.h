/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_CLASSIFY_H
#define DENMAP_CLASSIFY_H

#include <bpf/bpf_endian.h>

#include "maps.h"
#include "options.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECN 0xc0 /* ECE and CWR: no scan type depends on them */

/* Option kinds in order, as parse_syn_options packs them. */
#define OPTIONS_MSS 0x3
#define OPTIONS_ZMAP_WINDOWS 0x324225 /* MSS, NOP, scale, NOP, NOP, SACK */
#define OPTIONS_ZMAP_LINUX 0x35924    /* MSS, SACK, stamp, NOP, scale */
#define OPTIONS_ZMAP_BSD 0x32422951   /* MSS, NOP, scale, NOP, NOP, stamp, SACK, end */
#define OPTIONS_SX 0x3541	      /* MSS, SACK, scale, end */
#define OPTIONS_NMAP_ECN 0x423522     /* scale, NOP, MSS, SACK, NOP, NOP */

#define TFO_OPTION_NIBBLE 15 /* kinds above 13 share it: enough to excuse a payload */

enum suspicion {
	NOT_PROBE,
	BACKSCATTER,	/* an answer: proves nothing about its sender */
	NEEDS_LISTENER, /* fails if no socket listens */
	NEEDS_ANY,	/* fails if no socket at all fits */
	NEEDS_HOST,	/* fails if it is meant for this host */
	IS_PROBE,	/* no stack sends this: no question to ask */
};

/* What a packet would count as if it failed. */
struct guess {
	enum suspicion suspicion;
	__u8 kind;    /* enum scan_kind */
	__u8 points;  /* of evidence, 1 or 2 */
	__u8 tool;    /* enum scan_tool */
	__u8 crafted; /* no stack sends this: dropped on sight */
};

/* A packet on its way through the slow path, which knows all of it. One
 * pointer to it is what the functions of that path share.
 */
struct suspect {
	struct packet p;
	struct segment s;
	struct guess g;
	__u32 ifindex;
	__u32 listening; /* the socket that was found is a listener */
	__u32 banned;	 /* enum banned */
	__u32 spared;	 /* enum event_flags that forbid a ban */
	__u32 due;	 /* for an entry, or has one: score.h */
	__u32 traced;	 /* its trace is kept */
	__u32 hints;	 /* enum hint of its address */
	__u32 has_entry; /* its source has one: is_repeated found it */
	__u32 faint;	 /* worth an alert at most: opening.h */

	/* Set before they are used; what comes first in the struct starts at 0. */
	__u32 nth;	   /* of the source's counted probes */
	__u32 met;	   /* another source sent the same a moment ago */
	__u64 hash;	   /* of the address, later of the key */
	__u64 now;	   /* boot time, ns */
	struct prefix key; /* under which the source is scored */
	struct probe probe;
	struct newcomer before; /* what is on file of the source */
};

/* Room for the packet that each CPU is at: programs do not interrupt each
 * other. The stack would be half full, and the verifier would tell apart
 * every combination of what it has seen stored there. Not shared between
 * programs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct suspect);
} suspects SEC(".maps");

/* An empty one, as far as that is needed: every packet pays for the stores.
 * NULL cannot be.
 */
static __always_inline struct suspect *room(void)
{
	__u32 zero = 0;
	struct suspect *x = bpf_map_lookup_elem(&suspects, &zero);

	if (x)
		__builtin_memset(x, 0, offsetof(struct suspect, nth));
	return x;
}

/* What asks a listener for a connection, whatever else it says. */
static __always_inline int is_syn(const struct segment *s)
{
	return (s->flags & (SYN | ACK | RST | FIN)) == SYN;
}

/* No options and no data, which is what a scan for answers sends. Told to add
 * data, nmap gives itself away by sequence number 0, hping3 by a window that
 * takes hardly any, without DF.
 */
static __always_inline int is_bare(const struct packet *p, const struct segment *s)
{
	if (s->header != sizeof(struct tcphdr))
		return 0;
	return !s->payload || (s->window == 1024 && !s->seq) || (s->window == 512 && !p->df);
}

/* Whether classification is worth a call: all but data segments and ACKs with
 * options. Established traffic ends here.
 */
static __always_inline int could_be_probe(const struct packet *p, const struct segment *s)
{
	return (s->flags & (ACK | SYN | RST | FIN)) != ACK || is_bare(p, s);
}

/* masscan's id; a random one is right once in 65,536. */
static __always_inline int has_masscan_id(const struct packet *p, const struct segment *s)
{
	return !p->ipv6 && p->id == (__u16)(bpf_ntohl(p->dst[3]) ^ bpf_ntohs(s->dport) ^ s->seq);
}

/* An MSS of Ethernet and nothing else. */
static __always_inline int has_mss_alone(const struct segment *s)
{
	return s->options == OPTIONS_MSS && s->header == 24 && s->mss == 1460;
}

/* nmap's own: TTL 37 to 59 over IPv4; hop limit 255, no flow label over IPv6. */
static __always_inline int has_nmap_header(const struct packet *p, const struct segment *s)
{
	return s->window == 1024 &&
	       (p->ipv6 ? p->ttl > 64 && !p->flow_label : p->ttl <= 64 && !p->df);
}

/* The single packets that no kernel sends and a known scanner does, in the
 * exact form: ../docs/ARCHITECTURE.md, "Crafted packets". A looser match
 * would meet controllers and phones.
 */
static __always_inline enum scan_tool exact_scanner(const struct packet *p, const struct segment *s)
{
	if (has_mss_alone(s) && !s->ack) {
		if (has_nmap_header(p, s))
			return TOOL_NMAP;
		/* masscan since 1.3.9; TTL 255 unless told otherwise */
		if (s->window == 1025 && (p->ipv6 ? p->ttl > 64 : has_masscan_id(p, s)))
			return TOOL_MASSCAN;
	}
	if (s->header != sizeof(struct tcphdr))
		return TOOL_UNKNOWN;
	if (s->window == 512 && s->ack)
		return TOOL_HPING3;
	if (!p->ipv6 && p->id == 54321 && s->window == 65535)
		return TOOL_ZMAP;
	return has_masscan_id(p, s) ? TOOL_MASSCAN : TOOL_UNKNOWN;
}

/* zmap 4's own option lists with its DF-less 65535 window: rule R5. */
static __always_inline int is_zmap4(const struct packet *p, const struct segment *s)
{
	return !p->ipv6 && s->window == 65535 && !p->df && p->ttl <= 64 &&
	       (s->options == OPTIONS_ZMAP_WINDOWS || s->options == OPTIONS_ZMAP_LINUX ||
		s->options == OPTIONS_ZMAP_BSD || s->options == OPTIONS_MSS);
}

/* sx: a Linux window with options that no kernel packs so tightly. */
static __always_inline int is_sx(const struct packet *p, const struct segment *s)
{
	return s->options == OPTIONS_SX && s->window == 64240 && p->ttl <= 64;
}

static __always_inline int has_tfo(const struct segment *s)
{
	for (int i = 0; i < 64; i += 4)
		if ((s->options >> i & 0xf) == TFO_OPTION_NIBBLE)
			return 1;
	return 0;
}

/* The odd option lists of nmap -O: every T probe stamps 0xffffffff. */
static __always_inline int is_os_probe(const struct segment *s)
{
	return s->stamp_is_odd || (s->options == OPTIONS_NMAP_ECN && s->window == 3);
}

/* A scanner without a rule of exact_scanner's kind. IPv6 has no id to go by. */
static __always_inline enum scan_tool raw_family(const struct packet *p, const struct segment *s)
{
	if (s->header != sizeof(struct tcphdr))
		return TOOL_RAW;
	if (!p->ipv6 && s->seq == bpf_ntohl(p->dst[3]))
		return TOOL_MIRAI;
	if (s->window == 1480)
		return TOOL_NPING;
	if (s->window == 8192 && (p->ipv6 ? s->sport == bpf_htons(20) : p->id == 1) && !s->seq)
		return TOOL_SCAPY;
	if (s->window == 1024 && p->ipv6 && p->ttl > 64)
		return TOOL_MASSCAN;
	return TOOL_RAW;
}

/* An MSS and nothing else, and a window that takes no segment of that size:
 * naabu, and others that leave the IP header to their kernel. A receiver
 * offers a whole segment or nothing (RFC 9293 3.8.6.2.2). Controllers of
 * little memory start with a TTL of 128 or 255, or a smaller MSS.
 */
static __always_inline int is_narrow(const struct packet *p, const struct segment *s)
{
	return s->options == OPTIONS_MSS && s->window < s->mss && p->ttl <= 64;
}

/* Headers that cannot come from a kernel's connect(): rules R1 to R6. */
static __always_inline enum scan_tool raw_tool(const struct packet *p, const struct segment *s)
{
	if (is_os_probe(s))
		return TOOL_NMAP;
	if (s->options == OPTIONS_MSS && s->mss == 1460 && !p->df && p->ttl <= 64 && !s->ack &&
	    (s->window == 1024 || s->window == 2048 || s->window == 3072 || s->window == 4096))
		return TOOL_NMAP;
	/* behind a link that takes less: routers lower the MSS of SYNs */
	if (s->options == OPTIONS_MSS && s->mss < 1460 && !s->ack && !p->ipv6 &&
	    has_nmap_header(p, s))
		return TOOL_NMAP;
	if (is_zmap4(p, s))
		return TOOL_ZMAP;
	if (is_narrow(p, s) || is_sx(p, s))
		return TOOL_RAW;
	if (s->header == sizeof(struct tcphdr) && (p->ipv6 || !p->df))
		return raw_family(p, s);
	if (s->ack)
		return s->window == 512 && !s->mss ? TOOL_HPING3 : TOOL_RAW;
	if (s->payload && !has_tfo(s))
		return TOOL_RAW;
	return TOOL_UNKNOWN;
}

/* A SYN that a kernel's connect() could have sent names no program. One
 * with an MSS and nothing else that speaks for a stack, as DF does, is taken
 * for raw. Captures may lack all options; raw senders have one at most.
 */
static __always_inline int looks_like_kernel(const struct packet *p, const struct segment *s)
{
	int cut_off = !s->options && s->header > 24;

	return (s->mss || cut_off) && !s->ack && ((p->df && !p->ipv6) || s->options != OPTIONS_MSS);
}

static __always_inline void classify_syn(struct guess *g, const struct packet *p,
					 const struct segment *s)
{
	enum scan_tool tool = exact_scanner(p, s);

	g->suspicion = NEEDS_LISTENER;
	g->kind = KIND_SYN;
	g->points = 2;
	g->crafted = tool != TOOL_UNKNOWN;
	if (!g->crafted)
		tool = raw_tool(p, s);
	if (tool == TOOL_UNKNOWN) {
		g->points = 1;
		tool = TOOL_RAW;
		if (looks_like_kernel(p, s)) {
			g->kind = KIND_CONNECT;
			tool = TOOL_KERNEL;
		}
	}
	g->tool = tool;
}

/* nmap and hping3 keep the header of their SYN probes in other scans, nmap
 * with its option where the flags hold a SYN. nmap's ACK and Maimon probes
 * have sequence number 0, which tells them from peers that happen to offer
 * the same window.
 */
static __always_inline enum scan_tool bare_tool(const struct packet *p, const struct segment *s)
{
	if (has_mss_alone(s) && s->window == 1024)
		return p->df && !p->ipv6 ? TOOL_UNKNOWN : TOOL_NMAP;
	if (s->header != sizeof(struct tcphdr) || (p->df && !p->ipv6))
		return TOOL_UNKNOWN;
	if (s->window == 1024 && (!(s->flags & ACK) || !s->seq))
		return TOOL_NMAP;
	if (s->window == 512)
		return TOOL_HPING3;
	return TOOL_RAW;
}

/* A SYN+ACK or reset in the header that nmap and hping3 give to whatever they
 * send. No system answers like that: a reset offers no window, and that of a
 * listener takes a segment of its size.
 */
static __always_inline int is_forged_answer(const struct packet *p, const struct segment *s)
{
	if (has_nmap_header(p, s))
		return s->flags & SYN ? has_mss_alone(s) : s->header == sizeof(struct tcphdr);
	return s->window == 512 && !p->df && s->header == sizeof(struct tcphdr);
}

static __always_inline void illegal(struct guess *g, enum scan_kind kind)
{
	g->suspicion = IS_PROBE;
	g->kind = kind;
	g->points = 2;
	g->crafted = 1;
}

/* Which answers a Linux host gives to all 256 flag bytes was measured; a
 * listener answers every byte with SYN and none of ACK, RST, FIN.
 */
static __always_inline void classify_tcp(struct guess *g, const struct packet *p,
					 const struct segment *s)
{
	__u8 flags = s->flags & ~ECN;

	g->tool = bare_tool(p, s);
	if ((flags & (SYN | ACK | RST | FIN)) == SYN) {
		classify_syn(g, p, s);
	} else if (flags & SYN && flags & (FIN | RST)) {
		illegal(g, KIND_ODD_FLAGS);
	} else if (flags & SYN || flags & RST) {
		g->suspicion = is_forged_answer(p, s) ? NEEDS_ANY : BACKSCATTER;
		g->kind = KIND_ODD_FLAGS;
		g->points = 1;
	} else if (flags == 0) {
		illegal(g, KIND_NULL);
	} else if (flags == FIN) {
		illegal(g, KIND_FIN);
	} else if (flags == (FIN | PSH | URG)) {
		illegal(g, KIND_XMAS);
	} else if (!(flags & ACK)) {
		illegal(g, KIND_ODD_FLAGS);
	} else if (flags & FIN && is_bare(p, s)) {
		g->suspicion = NEEDS_ANY;
		g->kind = KIND_MAIMON;
		g->points = 1;
	} else if (is_bare(p, s)) {
		g->suspicion = NEEDS_ANY;
		g->kind = KIND_ACK;
		g->points = 1;
	} else {
		g->suspicion = NOT_PROBE;
	}
}

/* Protocols that tunnels, routers and clusters speak to a host for ever:
 * IGMP, IPIP, IPv6, GRE, ESP, AH, EIGRP, OSPF, PIM, VRRP, L2TP.
 */
static __always_inline int is_tunnel(__u8 protocol)
{
	switch (protocol) {
	case 2:
	case 4:
	case 41:
	case 47:
	case 50:
	case 51:
	case 88:
	case 89:
	case 103:
	case 112:
	case 115:
		return 1;
	}
	return 0;
}

#define SCTP_INIT 1
#define SCTP_COOKIE_ECHO 10

/* nmap -O's datagram to a closed port: IP id 4162, 300 times 'C'. */
#define OS_PROBE_ID 4162
#define OS_PROBE_PAYLOAD 300

static __always_inline void classify_udp(struct guess *g, const struct packet *p,
					 const struct segment *s)
{
	g->suspicion = NEEDS_LISTENER;
	g->kind = KIND_UDP;
	g->points = 1;
	if (p->ipv6)
		return;
	if (p->id == OS_PROBE_ID && s->payload == OS_PROBE_PAYLOAD) {
		g->kind = KIND_OS_FINGERPRINT;
		g->tool = TOOL_NMAP;
	}
	if (p->id == 54321)
		g->tool = TOOL_ZMAP;
}

static const struct guess sctp_probe = {
    .suspicion = NEEDS_HOST,
    .kind = KIND_SCTP,
    .points = 1,
};

static const struct guess protocol_probe = {
    .suspicion = NEEDS_HOST,
    .kind = KIND_IP_PROTOCOL,
    .points = 1,
};

/* A cut-off TCP header: the kernel would reassemble it, a filter could not
 * read it; RFC 1858 3 has it dropped. Or a chain of extension headers
 * without an end.
 */
static const struct guess cut_off = {
    .suspicion = IS_PROBE,
    .kind = KIND_FRAGMENT,
    .points = 2,
    .tool = TOOL_RAW,
    .crafted = 1,
};

/* options: where the TCP options begin. */
static __always_inline void classify(struct xdp_md *ctx, struct suspect *x, __u32 options)
{
	if (x->s.header > sizeof(struct tcphdr))
		parse_options(ctx, &x->s, options);
	classify_tcp(&x->g, &x->p, &x->s);
	if (x->g.suspicion != NOT_PROBE && x->g.suspicion != BACKSCATTER && is_os_probe(&x->s)) {
		x->g.kind = KIND_OS_FINGERPRINT;
		x->g.tool = TOOL_NMAP;
	}
}

#endif
