/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_WAIT_H
#define DENMAP_WAIT_H

#include "outcome.h"
#include "punish.h"

/* Where this host has no say: ports that it publishes by address
 * translation, hosts that it routes or bridges to. A SYN waits for a later
 * packet of its connection; it fails when none came for ANSWER_MS, or when
 * more ports are tried at once than WAITING_SLOTS. The next SYN of the
 * source settles what is due, so a ban follows the evidence.
 */
#define ANSWER_MS 3000
#define STALE_MS (10 * 60 * 1000) /* what waited longer is not scored any more */
#define ANSWER_TICKS 4096	  /* 4 to 41 s: how long answers are looked for */
#define IN_SEQUENCE (1U << 20)	  /* bytes behind the SYN that an answer may begin */

static __always_inline __u32 *answer_slot(const struct packet *p)
{
	__u32 index = hash_words(p->src, 0) >> 50 & (ANSWER_SLOTS - 1);

	return bpf_map_lookup_elem(&answers, &index);
}

static __always_inline void service_key(struct service *key, const struct suspect *x)
{
	__builtin_memset(key, 0, sizeof(*key));
	__builtin_memcpy(key->addr, x->p.dst, sizeof(key->addr));
	key->port = x->s.dport;
}

static __always_inline int is_published(const struct suspect *x)
{
	struct service key;
	__u32 *seen;

	service_key(&key, x);
	seen = bpf_map_lookup_elem(&published, &key);
	return seen && x->now / 1000000000 - *seen < SERVICE_MEMORY_S;
}

/* Whether a packet of an established look may be the answer to something
 * that waits: cheap, and wrong only towards a closer look.
 */
static __always_inline int may_be_answer(const struct packet *p)
{
	__u32 *tick;

	if (!has_mark(MARK_WAITERS))
		return 0;
	tick = answer_slot(p);
	return tick && (__u32)ticks() - *tick < ANSWER_TICKS;
}

/* Whether the packet comes next on the connection that the SYN opened. */
static __always_inline int follows(const struct suspect *x, __u32 print, const struct unanswered *u)
{
	return u->probe.print == print && u->sport == x->s.sport &&
	       x->s.seq - u->isn - 1 <= IN_SEQUENCE;
}

static const struct waiting nobody_waits = {};

static __always_inline struct waiting *waiting_of(const struct suspect *x)
{
	struct waiting *w = entry_of(&waiters, x);
	__u32 *tick = answer_slot(&x->p);

	set_mark(MARK_WAITERS);
	if (tick)
		*tick = ticks();
	return w ? w : entry_made(&waiters, x, &nobody_waits);
}

static __always_inline void fill(struct unanswered *u, const struct suspect *x)
{
	u->probe = x->probe;
	u->answered = 0;
	__builtin_memcpy(u->src, x->p.src, sizeof(u->src));
	u->ms = x->now / 1000000;
	u->isn = x->s.seq;
	u->sport = x->s.sport;
}

/* Scores what has waited in vain, on the packet that runs now. */
static __always_inline int fail(struct xdp_md *ctx, struct suspect *x, struct unanswered *u)
{
	struct probe now = x->probe;
	int reason;

	x->probe = u->probe;
	u->probe.print = 0;
	reason = is_repeated(x) ? PASS_REPEATED : punish(ctx, x);
	x->probe = now;
	return reason;
}

/* Which slot a new probe takes: a free one, that of the same port, or the
 * next in turn. Settles what is due on the way.
 */
static __always_inline __u32 take_slot(struct xdp_md *ctx, struct suspect *x, struct waiting *w,
				       int *reason)
{
	__u32 slot = WAITING_SLOTS, ms = x->now / 1000000;

	for (__u32 i = 0; i < WAITING_SLOTS; i++) {
		struct unanswered *u = &w->slots[i];
		__u32 age = ms - u->ms;

		if (u->probe.print == x->probe.print) {
			slot = i; /* a retransmission, or another try at the port */
			continue;
		}
		if (age > STALE_MS || (u->answered && age > ANSWER_MS))
			u->probe.print = 0;
		if (u->probe.print && age > ANSWER_MS && same_address(u->src, x->p.src) &&
		    fail(ctx, x, u) == DROP_CROSSED)
			*reason = DROP_CROSSED;
		if (!u->probe.print && slot == WAITING_SLOTS)
			slot = i;
	}
	if (slot < WAITING_SLOTS)
		return slot;
	slot = __sync_fetch_and_add(&w->next, 1) & (WAITING_SLOTS - 1);
	if (!w->slots[slot].answered && same_address(w->slots[slot].src, x->p.src) &&
	    fail(ctx, x, &w->slots[slot]) == DROP_CROSSED)
		*reason = DROP_CROSSED;
	return slot;
}

/* A SYN without a socket, where that is no proof of failure. */
__noinline int await(struct xdp_md *ctx, struct suspect *x)
{
	int reason = PASS_WAITING;
	struct waiting *w;
	__u32 slot;

	if (!x)
		return PASS_WAITING;
	if (is_published(x))
		return PASS_OPEN;
	w = waiting_of(x);
	if (!w)
		return PASS_WAITING;
	slot = take_slot(ctx, x, w, &reason);
	if (reason == DROP_CROSSED)
		return reason; /* banned: what waits is forgotten */
	fill(&w->slots[slot & (WAITING_SLOTS - 1)], x);
	return reason;
}

#endif
