/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_WAIT_H
#define DENMAP_WAIT_H

#include "outcome.h"
#include "punish.h"

/* Where this host has no say: ports that it publishes by address
 * translation, hosts that it routes or bridges to. A SYN waits for a later
 * packet of its connection; it fails when none came for ANSWER_MS, or when
 * more ports are tried at once than WAITING_SLOTS. User space has what is due settled
 * every second, and each SYN of the source settles one more, so a ban
 * follows the evidence.
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

/* Whether a packet continues a connection that nobody answered: the kernel
 * knows of no reply, though it knew of others to that address today.
 */
__noinline int is_made_up(struct xdp_md *ctx, struct suspect *x)
{
	struct service key;
	__u32 second, *seen;
	int tracked;

	if (!x || !asks_conntrack())
		return 0;
	tracked = ask_conntrack(ctx, x);
	service_key(&key, x);
	key.port = 0;
	key.tracked = 1;
	second = x->now / 1000000000;
	if (tracked >= TRACKED_ANSWERED) {
		bpf_map_update_elem(&published, &key, &second, BPF_ANY);
		return 0;
	}
	seen = bpf_map_lookup_elem(&published, &key);
	return seen && second - *seen < SERVICE_MEMORY_S;
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
static __always_inline int follows(const struct suspect *x, __u32 target,
				   const struct unanswered *u)
{
	return u->probe.target == target && u->sport == x->s.sport &&
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
	__builtin_memcpy(u->dst, x->p.dst, sizeof(u->dst));
	u->ms = x->now / 1000000;
	u->isn = x->s.seq;
	u->ifindex = x->ifindex;
	u->id = x->p.id;
	u->sport = x->s.sport;
}

/* Makes what waited the suspect. */
static __always_inline void take(struct suspect *x, const struct unanswered *u)
{
	x->probe = u->probe;
	x->g.tool = u->probe.tool;
	x->g.kind = u->probe.kind;
	__builtin_memcpy(x->p.dst, u->dst, sizeof(x->p.dst));
	x->p.id = u->id;
	x->s.seq = u->isn;
	x->s.sport = u->sport;
	x->s.dport = bpf_htons(u->probe.target & PRINT_PORT);
}

static __always_inline int is_due_at(const struct unanswered *u, __u32 ms)
{
	__u32 age = ms - u->ms;

	return u->probe.target && !u->answered && age > ANSWER_MS && age <= STALE_MS;
}

static __always_inline int is_free_at(const struct unanswered *u, __u32 ms)
{
	__u32 age = ms - u->ms;

	return !u->probe.target || age > STALE_MS || (u->answered && age > ANSWER_MS);
}

/* Of slots that are due or free, a bit each, the one to take. A function of
 * its own: it branches on the bits, and the verifier would follow every
 * combination of them through the loop that finds them.
 */
__noinline __u32 pick_slot(struct waiting *w, __u32 due, __u32 free)
{
	if (!w)
		return 0;
	if (due)
		return __builtin_ctz(due);
	if (free)
		return __builtin_ctz(free);
	return __sync_fetch_and_add(&w->next, 1) & (WAITING_SLOTS - 1);
}

/* Which slot a new probe takes: that of the same port, one that is due, a
 * free one, or the next in turn.
 */
static __always_inline __u32 choose_slot(const struct suspect *x, struct waiting *w)
{
	__u32 due = 0, free = 0, ms = x->now / 1000000;

	for (__u32 i = 0; i < WAITING_SLOTS; i++) {
		struct unanswered *u = &w->slots[i];

		if (u->probe.target == x->probe.target)
			return i; /* a retransmission, or another try at the port */
		if (is_free_at(u, ms))
			free |= 1U << i;
		else if (is_due_at(u, ms) && same_address(u->src, x->p.src))
			due |= 1U << i;
	}
	return pick_slot(w, due, free);
}

/* A SYN without a socket, where that is no proof of failure. PASS_COUNTED:
 * it took the place of another, which the suspect now is, and which failed.
 */
__noinline int await(struct suspect *x)
{
	struct unanswered last, *u;
	struct waiting *w;
	int failed;

	if (!x)
		return PASS_WAITING;
	if (is_published(x))
		return PASS_OPEN;
	w = waiting_of(x);
	if (!w)
		return PASS_WAITING;
	u = &w->slots[choose_slot(x, w) & (WAITING_SLOTS - 1)];
	last = *u;
	failed = last.probe.target != x->probe.target && !is_free_at(&last, x->now / 1000000) &&
		 !last.answered && same_address(last.src, x->p.src);
	fill(u, x);
	if (!failed)
		return PASS_WAITING;
	take(x, &last);
	return PASS_COUNTED;
}

/* Scores a probe that waited in vain. PASS_REPEATED: it was counted before. */
__noinline int expire(struct suspect *x)
{
	return x && !is_repeated(x) ? punish(x) : PASS_REPEATED;
}

#endif
