//go:build ignore

/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* DenMap's XDP program: recognises probes, scores their sources, bans in
 * the kernel on the packet that crosses the threshold. What cannot be
 * parsed passes.
 */
#include "bans.h"
#include "lists.h"
#include "outcome.h"
#include "proof.h"
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
const enum reason *reasons_in_btf __attribute__((unused));
const enum scan_kind *kinds_in_btf __attribute__((unused));
const enum spread *spreads_in_btf __attribute__((unused));
const enum scan_tool *tools_in_btf __attribute__((unused));

static __always_inline enum reason parse_network(struct xdp_md *ctx, struct cursor *c,
						 struct packet *p)
{
	__be16 protocol;

	if (link_is_ethernet) {
		if (parse_ethernet(c, p, &protocol))
			return PASS_SHORT_ETHERNET;
		if (parse_vlan(c, &protocol))
			return PASS_BAD_VLAN;
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

	if (!gate)
		return PASS_PAUSED;
	if (gate->pause_until && boot_ns() < gate->pause_until)
		return PASS_PAUSED;
	if (gate->pass_after && awake() >= gate->pass_after)
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

/* Whether frames for others pass this host on their way: routed, to its own
 * MAC address, or bridged. Elsewhere they are strays.
 */
static __always_inline int passes_here(const struct suspect *x)
{
	return x->g.suspicion == NEEDS_LISTENER && x->p.protocol == IPPROTO_TCP &&
	       (x->p.mac_is_ours || bridge_port);
}

/* Where addresses are translated, packets for other hosts come to this
 * one's address and find no socket: only a SYN is worth waiting for.
 */
static __always_inline enum reason translated_outcome(const struct suspect *x)
{
	if (x->p.protocol == IPPROTO_UDP)
		return bpf_ntohs(x->s.dport) < 1024 ? PASS_COUNTED : PASS_ANSWER;
	if (x->g.suspicion == NEEDS_LISTENER)
		return PASS_WAITING;
	return x->g.tool == TOOL_NMAP || x->g.tool == TOOL_HPING3 ? PASS_COUNTED : PASS_ANSWER;
}

/* A probe whose outcome does not matter, is unknown or was failure goes on
 * to be scored: PASS_COUNTED.
 */
__noinline int check_outcome(struct xdp_md *ctx, struct suspect *x)
{
	if (!x || x->g.suspicion == IS_PROBE)
		return PASS_COUNTED;
	switch (ask(ctx, x)) {
	case OPEN:
		if (x->g.suspicion == NEEDS_LISTENER)
			note_listener(x);
		return PASS_OPEN;
	case FOREIGN:
		if (x->g.crafted)
			return PASS_COUNTED;
		return passes_here(x) ? PASS_WAITING : PASS_FOREIGN;
	case CLOSED:
		if (translates() && !x->g.crafted && x->g.suspicion != NEEDS_HOST &&
		    translated_outcome(x) != PASS_COUNTED)
			return translated_outcome(x);
		if (is_answer(x) ||
		    (x->p.protocol == IPPROTO_UDP && ask_conntrack(ctx, x) == TRACKED_OURS))
			return PASS_ANSWER;
		if (!x->g.crafted && x->g.suspicion != NEEDS_HOST && had_listener(x))
			return PASS_SERVICE_GONE;
	}
	return PASS_COUNTED;
}

/* What a blind ban stops: whatever would start something new. */
static __always_inline int starts_something(struct xdp_md *ctx, struct suspect *x)
{
	if (x->g.suspicion == BACKSCATTER)
		return 0;
	if (x->g.suspicion == NEEDS_LISTENER && x->p.protocol == IPPROTO_TCP)
		return 1;
	return x->g.suspicion == IS_PROBE || check_outcome(ctx, x) == PASS_COUNTED;
}

/* A scan that goes on prolongs its ban; a client that only tries a service
 * again does not.
 */
static __always_inline void prolong(struct xdp_md *ctx, struct suspect *x, struct ban *ban)
{
	__u64 until = x->now + ban_ns;
	struct source *s;

	if (until <= ban->until || is_ignored(x->s.dport) || check_outcome(ctx, x) != PASS_COUNTED)
		return;
	ban->until = until;
	/* The evidence lasts as long as the ban. */
	identify(x);
	s = entry_of(&sources, x);
	if (s && s->banned_until)
		s->banned_until = until;
}

/* The same for a proven ban, which has dropped the packet already. */
__noinline int renew(struct xdp_md *ctx, struct suspect *x)
{
	struct prefix key;
	struct ban *ban;
	__u32 due = 0;

	if (!x || x->g.suspicion == BACKSCATTER)
		return DROP_BANNED;
	x->now = boot_ns();
	ban = find_ban(&bans, x, &key, &due);
	if (ban)
		prolong(ctx, x, ban);
	return DROP_BANNED;
}

/* Whether a blind ban stops the packet; counts it then. A ban of a whole
 * prefix spares the addresses in it that must not be lost.
 */
__noinline int is_blindly_banned(struct xdp_md *ctx, struct suspect *x)
{
	struct prefix key;
	struct ban *ban;
	__u32 due = 0;

	if (!x || monitor || x->spared)
		return 0;
	ban = find_ban(&blind_bans, x, &key, &due);
	if (!ban || is_protected(x) || !starts_something(ctx, x))
		return 0;
	if (due)
		prolong(ctx, x, ban);
	__sync_fetch_and_add(&ban->dropped, 1);
	return 1;
}

/* Lets a SYN wait, and scores what failed in its stead. */
__noinline int wait_or_fail(struct suspect *x)
{
	enum reason reason;

	if (!x)
		return PASS_WAITING;
	reason = await(x);
	if (reason == PASS_COUNTED)
		reason = !is_repeated(x) && punish(x) == DROP_CROSSED ? DROP_CROSSED : PASS_WAITING;
	return reason;
}

static __always_inline enum reason score(struct xdp_md *ctx, struct suspect *x)
{
	enum reason reason = punish(x);

	if (x->alarming)
		keep_headers(ctx, x);
	return reason;
}

/* What a scan goes through one by one. */
static __always_inline __u16 probed_port(const struct suspect *x)
{
	return x->g.kind == KIND_IP_PROTOCOL ? x->p.protocol : bpf_ntohs(x->s.dport);
}

/* Whether a socket is likely to want the packet: then it is looked for at
 * once, and not first whether the source has tried this before.
 */
static __always_inline int asks_first(const struct suspect *x)
{
	return !x->g.crafted && (x->g.suspicion == NEEDS_ANY ||
				 (x->g.suspicion == NEEDS_LISTENER && had_listener(x)));
}

/* Whether the packet goes no further, whatever comes of it. */
static __always_inline int is_dropped_on_sight(const struct suspect *x)
{
	return x->g.crafted && drop_crafted && !monitor && !(x->spared & EVENT_WATCHED);
}

/* What of the packet is kept as evidence. */
static __always_inline void describe(struct suspect *x)
{
	x->probe.kind = x->g.kind;
	x->probe.points = x->g.points;
	x->probe.tool = x->g.tool;
	x->probe.flags = x->s.flags;
	x->probe.window = x->s.window;
	x->probe.ttl = x->p.ttl;
	x->probe.print = fingerprint(&x->p, probed_port(x));
}

/* A reset, or SYN+ACK, that answers something: backscatter, unless it ends
 * a half-open probe. It passes even if it brings a ban: the kernel is to
 * forget the handshake.
 */
__noinline int judge_answer(struct xdp_md *ctx, struct suspect *x)
{
	if (!x || !is_half_open(ctx, x))
		return PASS_BACKSCATTER;
	if (is_ignored(x->s.dport))
		return PASS_IGNORED_PORT;
	describe(x);
	if (is_repeated(x))
		return PASS_REPEATED;
	return score(ctx, x) == PASS_SPARED ? PASS_SPARED : PASS_COUNTED;
}

/* A SYN that a listener wants. One that is dropped on sight stays a
 * half-open probe; of others the next packet tells.
 */
__noinline int meet_listener(struct xdp_md *ctx, struct suspect *x)
{
	if (!x)
		return PASS_OPEN;
	if (is_dropped_on_sight(x)) {
		x->probe.points = 1;
		return score(ctx, x);
	}
	expect_handshake(x);
	return PASS_OPEN;
}

/* The slow path: only what could be a probe comes here. */
static __always_inline enum reason judge(struct xdp_md *ctx, struct suspect *x)
{
	enum reason reason;

	x->now = boot_ns();
	if (x->hints & HINT_BLIND && is_blindly_banned(ctx, x))
		return DROP_BANNED;
	identify(x);
	if (x->g.suspicion == BACKSCATTER)
		return judge_answer(ctx, x);
	if (is_ignored(x->s.dport))
		return PASS_IGNORED_PORT;
	describe(x);
	reason = asks_first(x) ? check_outcome(ctx, x) : REASONS;
	if (reason != PASS_OPEN && is_repeated(x)) {
		reason = PASS_REPEATED;
	} else {
		if (reason == REASONS)
			reason = check_outcome(ctx, x);
		if (reason == PASS_COUNTED)
			reason = is_filed(x) ? PASS_COUNTED : score(ctx, x);
		else if (reason == PASS_WAITING)
			reason = wait_or_fail(x);
		else if (reason == PASS_OPEN && x->listening && x->g.suspicion == NEEDS_LISTENER)
			reason = meet_listener(ctx, x);
	}
	if (reason < DROP_DENIED && is_dropped_on_sight(x))
		return DROP_CRAFTED;
	return reason;
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
	if (!could_be_probe(&x->s))
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
