/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_JUDGE_H
#define DENMAP_JUDGE_H

#include "bans.h"
#include "outcome.h"
#include "proof.h"

/* What becomes of a packet that could be a probe: its outcome, its score,
 * and the bans that stop only what starts something.
 */

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
	return is_scanners(x->g.tool) ? PASS_COUNTED : PASS_ANSWER;
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
		if (!x->g.crafted && x->g.suspicion != NEEDS_HOST &&
		    (had_listener(x) || is_call_report(x) || is_twin_served(x)))
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
static __always_inline enum reason wait_or_fail(struct suspect *x)
{
	enum reason reason = await(x);

	if (reason == PASS_COUNTED)
		reason = expire(x) == DROP_CROSSED ? DROP_CROSSED : PASS_WAITING;
	return reason;
}

static __always_inline enum reason score(struct xdp_md *ctx, struct suspect *x)
{
	enum reason reason = punish(x);

	if (x->traced)
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
	x->probe.target = target_of(&x->p, probed_port(x));
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
		return is_repeated(x) ? PASS_REPEATED : score(ctx, x);
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

#endif
