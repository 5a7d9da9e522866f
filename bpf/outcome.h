/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_OUTCOME_H
#define DENMAP_OUTCOME_H

#include "address.h"
#include "clock.h"
#include "classify.h"
#include "conntrack.h"

#define SERVICE_MEMORY_S (24 * 60 * 60)

enum outcome {
	OPEN,	 /* a socket wants it */
	CLOSED,	 /* nobody does: a failed probe */
	FOREIGN, /* not this host's business to answer */
};

static __always_inline int is_own(const struct packet *p, __u32 ifindex)
{
	struct prefix key;
	struct own *own;
	__u32 slot;

	if (!p->mac_is_ours)
		return 0;
	whole_address(&key, p->dst, ifindex);
	slot = own_slot(key.addr);
	own = bpf_map_lookup_elem(&own_slots, &slot);
	if (own && own->used && same_address(own->addr, key.addr))
		return 1;
	return bpf_map_lookup_elem(&own_addrs, &key) != NULL;
}

/* Asks the socket table of the interface's network namespace: the state of
 * the socket that would take the packet (enum tcp_state), 0: none.
 */
static __always_inline int socket_state(struct xdp_md *ctx, const struct packet *p,
					const struct segment *s)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = tuple_of(&tuple, p, s);
	struct bpf_sock *sk;
	int state;

	if (p->protocol == IPPROTO_UDP) {
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		bpf_sk_release(sk);
		return BPF_TCP_CLOSE; /* what the kernel calls an unconnected UDP socket */
	}
	sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	state = sk->state;
	bpf_sk_release(sk);
	return state;
}

/* A socket found for an address of another host is a wildcard listener of
 * this one and says nothing.
 */
static __always_inline enum outcome ask(struct xdp_md *ctx, struct suspect *x)
{
	int state;

	if (test_clock && test_outcome) {
		x->listening = test_outcome - 1 == OPEN && x->p.protocol == IPPROTO_TCP;
		return test_outcome - 1;
	}
	if (!is_own(&x->p, x->ifindex))
		return FOREIGN;
	if (x->g.suspicion == NEEDS_HOST)
		return CLOSED;
	state = socket_state(ctx, &x->p, &x->s);
	x->listening = state == BPF_TCP_LISTEN;
	return state ? OPEN : CLOSED;
}

static __always_inline struct listener *listener_of(__u8 protocol, __be16 dport)
{
	__u32 index = bpf_ntohs(dport) + (protocol == IPPROTO_UDP ? LISTENED_UDP : 0);

	return bpf_map_lookup_elem(&listened, &index);
}

static __always_inline void note_listener(const struct suspect *x)
{
	struct listener *l = listener_of(x->p.protocol, x->s.dport);
	__u32 second = x->now / 1000000000 + 1;

	if (!l)
		return;
	if (second - l->second > 60)
		l->second = second;
	if (x->p.protocol == IPPROTO_UDP)
		l->tick = ticks();
}

/* Modulo 2^32: it may have been before the last boot. */
static __always_inline int was_there(const struct listener *l, __u64 now)
{
	return l && l->second && (__u32)(now / 1000000000 + 1) - l->second < SERVICE_MEMORY_S;
}

/* Services restart while clients and monitors keep calling, and the last
 * packets of a call arrive when its port is closed.
 */
static __always_inline int had_listener(const struct suspect *x)
{
	return was_there(listener_of(x->p.protocol, x->s.dport), x->now);
}

/* The other end of a call reports on it to the next odd port (RFC 3550 11),
 * whether somebody here reads that or not.
 */
static __always_inline int is_call_report(const struct suspect *x)
{
	__u16 port = bpf_ntohs(x->s.dport);

	return x->p.protocol == IPPROTO_UDP && port & 1 && port > 1024 &&
	       was_there(listener_of(IPPROTO_UDP, bpf_htons(port - 1)), x->now);
}

/* The other port of a service that has one in clear and one under TLS, 0: no
 * such. Mail is handed in at three (RFC 8314 3.3).
 */
static __always_inline __u16 twin_port(__u16 port)
{
	switch (port) {
	case 80:
		return 443;
	case 443:
		return 80;
	case 110:
		return 995;
	case 143:
		return 993;
	case 993:
		return 143;
	case 995:
		return 110;
	case 25:
	case 465:
		return 587;
	case 587:
		return 465;
	}
	return 0;
}

/* Clients of a service that do not know how it is offered try both: mail
 * programs that guess their settings, browsers that are given a name only.
 */
static __always_inline int is_twin_served(const struct suspect *x)
{
	__u16 twin = x->g.kind == KIND_CONNECT ? twin_port(bpf_ntohs(x->s.dport)) : 0;

	return twin && was_there(listener_of(IPPROTO_TCP, bpf_htons(twin)), x->now);
}

/* Most datagrams are for a socket that was found a moment ago. */
static __always_inline int is_open_udp(__be16 dport)
{
	struct listener *l = listener_of(IPPROTO_UDP, dport);

	return l && l->second && (__u32)ticks() - l->tick < RECHECK_TICKS;
}

static __always_inline int is_ignored(__be16 dport)
{
	__u16 port = bpf_ntohs(dport);

	return ignored_ports[port / 64] >> port % 64 & 1;
}

static __always_inline int is_ephemeral(__be16 dport)
{
	__u16 port = bpf_ntohs(dport);

	return port >= ephemeral_min && port <= ephemeral_max;
}

/* UDP services that a host asks and that may answer late: those below 1024
 * and the registered ones that are asked most; and those that are made to
 * answer whom a forger names.
 */
static __always_inline int is_udp_service(__be16 sport)
{
	switch (bpf_ntohs(sport)) {
	case 1194: /* OpenVPN */
	case 1434: /* SQL Server's browser */
	case 1701: /* L2TP */
	case 1812: /* RADIUS */
	case 1813:
	case 1900:  /* SSDP */
	case 3283:  /* Apple Remote Desktop */
	case 3389:  /* remote desktop */
	case 3478:  /* STUN */
	case 3702:  /* WS-Discovery */
	case 4433:  /* QUIC */
	case 4500:  /* IPsec NAT traversal */
	case 5060:  /* SIP */
	case 5353:  /* mDNS */
	case 5355:  /* LLMNR */
	case 5683:  /* CoAP */
	case 8443:  /* QUIC */
	case 11211: /* memcached */
	case 27015: /* Source games */
	case 27960: /* Quake 3 games */
	case 37810: /* recorders of cameras */
	case 51820: /* WireGuard */
		return 1;
	}
	return bpf_ntohs(sport) < 1024;
}

/* What traceroutes send to ports that nobody should have. At most 30 hops are
 * traced, by traceroute from port 33434 on and by tracepath from 44444 on,
 * with up to three ports each. mtr takes another port with every probe, from
 * 33000 on, and goes twelve hops beyond the last that answered. Not more of
 * all these ports: nmap begins with a TTL of 37 to 59, of which an ordinary
 * way leaves less than 30.
 */
static __always_inline int is_traceroute(const struct suspect *x)
{
	__u32 port = bpf_ntohs(x->s.dport);

	if (x->p.ttl <= 12)
		return port >= 33000;
	return x->p.ttl <= 30 && (port - 33434 <= 100 || port - 44444 <= 100);
}

/* Answers say something; nmap asks most ports with an empty datagram. They
 * come to a port of the asker's choice, any above 1023 (RFC 5452), or of its
 * kernel's: then from whatever port. What answers a question to all, such as
 * a search for devices (SSDP), does so from a port of its own.
 */
static __always_inline int is_late_answer(const struct suspect *x)
{
	if (!x->s.payload || x->g.tool || bpf_ntohs(x->s.dport) < 1024)
		return 0;
	return is_udp_service(x->s.sport) || is_ephemeral(x->s.dport);
}

/* Tools whose packets without options tell themselves from a peer's. */
static __always_inline int is_scanners(__u8 tool)
{
	return tool == TOOL_NMAP || tool == TOOL_HPING3;
}

/* What fails because the host itself once spoke to the sender, or somebody
 * in its name. Peers of connections that the host has lost send ACKs and
 * FINs to the ports it used; a scanner's header gives itself away, but for
 * answers, which a host of that header may send too.
 */
static __always_inline int is_answer(const struct suspect *x)
{
	if (x->p.protocol == IPPROTO_UDP)
		return is_traceroute(x) || is_late_answer(x);
	if (x->g.suspicion != NEEDS_ANY || !is_ephemeral(x->s.dport))
		return 0;
	return x->g.kind == KIND_ODD_FLAGS || !is_scanners(x->g.tool);
}

#endif
