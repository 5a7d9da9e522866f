//go:build ignore

/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* DenMap's XDP program: recognises probes, scores their sources, bans in
 * the kernel on the packet that crosses the threshold. What cannot be
 * parsed passes.
 */
#include "judge.h"
#include "link.h"
#include "lists.h"
#include "parse.h"
#include "settle.h"

/* Keeps the type information of enums that only name numbers. */
const struct block *block_in_btf __attribute__((unused));
const struct row *row_in_btf __attribute__((unused));
const struct own *own_in_btf __attribute__((unused));
const struct leaf *leaf_in_btf __attribute__((unused));
const enum hint *hints_in_btf __attribute__((unused));
const enum guide_head *heads_in_btf __attribute__((unused));
const enum layout *layout_in_btf __attribute__((unused));
const enum list *lists_in_btf __attribute__((unused));
const enum list_set *sets_in_btf __attribute__((unused));
const enum mark *marks_in_btf __attribute__((unused));
const enum print *prints_in_btf __attribute__((unused));
const enum reason *reasons_in_btf __attribute__((unused));
const enum scan_kind *kinds_in_btf __attribute__((unused));
const enum spread *spreads_in_btf __attribute__((unused));
const enum scan_tool *tools_in_btf __attribute__((unused));

/* On purpose, or because the daemon is silent. */
static __always_inline int is_paused(const struct gate *gate)
{
	if (gate->pause_until && boot_ns() < gate->pause_until)
		return 1;
	return gate->pass_after && awake() >= gate->pass_after;
}

/* What becomes of a frame with more tags than are walked. No network has as
 * many, and Linux would take it: nobody is to hide behind them.
 */
__noinline int refuse_tags(void)
{
	__u32 zero = 0;
	struct gate *gate;

	if (!drop_crafted || monitor)
		return PASS_BAD_VLAN;
	gate = bpf_map_lookup_elem(&gates, &zero);
	return !gate || is_paused(gate) ? PASS_PAUSED : DROP_CRAFTED;
}

static __always_inline enum reason parse_network(struct xdp_md *ctx, struct cursor *c,
						 struct packet *p)
{
	__be16 protocol;

	if (link_is_ethernet) {
		if (parse_ethernet(c, p, &protocol))
			return PASS_SHORT_ETHERNET;
		if (parse_vlan(c, &protocol))
			return PASS_BAD_VLAN;
		if (is_vlan(protocol) && parse_more_tags(ctx, c, p, &protocol))
			return p->overtagged ? refuse_tags() : PASS_BAD_VLAN;
	} else if (parse_raw_ip(c, p, &protocol)) {
		return PASS_SHORT_ETHERNET;
	}
	p->offset = c->pos - (void *)(long)ctx->data;
	if (protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(c, p) ? PASS_BAD_IPV4 : PASS_ESTABLISHED;
	if (protocol == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(ctx, c, p) ? PASS_BAD_IPV6 : PASS_ESTABLISHED;
	return PASS_NOT_IP;
}

/* Allow, deny, ban, in this order. PASS_ESTABLISHED: go on. A blind ban is
 * asked later: it stops only what could start something.
 */
static __always_inline enum reason check_address(struct suspect *x)
{
	__u32 zero = 0, allowed;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	if (!gate || is_paused(gate))
		return PASS_PAUSED;
	allowed = may_be_allowed(gate) ? allow_flags(&x->p) : 0;
	if (allowed) {
		x->spared = EVENT_WATCHED;
		return allowed & LIST_WATCH ? PASS_ESTABLISHED : PASS_ALLOWED;
	}
	if (is_denied(gate, &x->p))
		return DROP_DENIED;
	if (!has_mark(MARK_BANS))
		return PASS_ESTABLISHED;
	x->hints = find_hints(x, gate->hint_half);
	if (x->hints & HINT_BAN)
		x->banned = is_banned(x);
	return x->banned ? DROP_BANNED : PASS_ESTABLISHED;
}

/* A TCP header cut off by fragmentation: RFC 1858 3. *port: its destination,
 * which even 8 bytes hold.
 */
static __always_inline int is_tiny_fragment(struct cursor *c, struct packet *p, __be16 *port)
{
	struct tcphdr *tcp = c->pos;
	__be16 *ports = c->pos;

	if (p->fragment != FIRST_FRAGMENT || p->protocol != IPPROTO_TCP)
		return 0;
	*port = (void *)(ports + 2) <= c->end ? ports[1] : 0;
	if (p->length < sizeof(*tcp))
		return 1;
	return (void *)(tcp + 1) <= c->end && p->length < tcp->doff * 4U;
}

/* TCP: PASS_COUNTED: judge it. */
static __always_inline enum reason look_at_tcp(struct xdp_md *ctx, struct cursor *c,
					       struct suspect *x)
{
	if (is_tiny_fragment(c, &x->p, &x->s.dport)) {
		x->g = cut_off;
		return PASS_COUNTED;
	}
	if (parse_tcp(c, &x->p, &x->s))
		return PASS_BAD_TCP;
	if (x->hints & HINT_BLIND && is_syn(&x->s) && !monitor && !x->spared && is_unicast(&x->p) &&
	    is_syn_stopped(x))
		return DROP_BANNED;
	if (may_be_answer(&x->p) && note_answer(ctx, x))
		return PASS_ESTABLISHED;
	if (!could_be_probe(&x->p, &x->s))
		return PASS_ESTABLISHED;
	classify(ctx, x, c->pos - (void *)(long)ctx->data);
	return x->g.suspicion == NOT_PROBE ? PASS_ESTABLISHED : PASS_COUNTED;
}

/* Everything else that can be a probe. */
static __always_inline enum reason look_at_others(struct cursor *c, struct suspect *x)
{
	__u8 chunk;

	switch (x->p.protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return PASS_ICMP;
	case IPPROTO_UDP:
		if (parse_udp(c, &x->p, &x->s))
			return PASS_BAD_UDP;
		if (is_open_udp(x->s.dport))
			return PASS_OPEN;
		classify_udp(&x->g, &x->p, &x->s);
		return PASS_COUNTED;
	case IPPROTO_SCTP:
		if (parse_sctp(c, &x->s, &chunk))
			return PASS_BAD_SCTP;
		if (chunk != SCTP_INIT && chunk != SCTP_COOKIE_ECHO)
			return PASS_ESTABLISHED;
		x->g = sctp_probe;
		return PASS_COUNTED;
	}
	if (!x->p.unfinished && is_tunnel(x->p.protocol))
		return PASS_TUNNEL;
	x->g = x->p.unfinished ? cut_off : protocol_probe;
	return PASS_COUNTED;
}

/* Whether the packet is worth judging: PASS_COUNTED. */
static __always_inline enum reason look(struct xdp_md *ctx, struct cursor *c, struct suspect *x)
{
	enum reason reason;

	if (x->p.fragment == LATER_FRAGMENT)
		return PASS_LATER_FRAGMENT;
	if (x->p.protocol == IPPROTO_TCP)
		reason = look_at_tcp(ctx, c, x);
	else
		reason = look_at_others(c, x);
	if (reason == PASS_COUNTED && !is_unicast(&x->p))
		return PASS_NOT_UNICAST;
	return reason;
}

static __always_inline enum reason inspect(struct xdp_md *ctx)
{
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	enum reason reason, unparsed;
	struct suspect *x = room();

	if (!x)
		return PASS_PAUSED;
	unparsed = parse_network(ctx, &c, &x->p);
	if (unparsed != PASS_ESTABLISHED && !x->p.addressed)
		return unparsed;
	if (x->p.protocol != IPPROTO_TCP && is_essential(&c, &x->p))
		return PASS_ESSENTIAL;
	x->ifindex = ctx->ingress_ifindex;
	reason = check_address(x);
	if (reason != PASS_ESTABLISHED && x->banned != BANNED_DUE)
		return reason;
	if (unparsed != PASS_ESTABLISHED)
		return x->banned ? DROP_BANNED : unparsed;
	reason = look(ctx, &c, x);
	if (x->banned)
		return reason == PASS_COUNTED ? renew(ctx, x) : DROP_BANNED;
	return reason == PASS_COUNTED ? judge(ctx, x) : reason;
}

SEC("xdp.frags")
int scan_xdp(struct xdp_md *ctx)
{
	enum reason reason = inspect(ctx);

	count(reason);
	return reason >= DROP_DENIED ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
