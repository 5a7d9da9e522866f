/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_PROOF_H
#define DENMAP_PROOF_H

#include "opening.h"
#include "wait.h"

static __always_inline int is_proof_port(const struct source *s, __be16 port)
{
	for (int i = 0; i < PROOFS; i++)
		if (i < s->proven && s->proofs[i] == port)
			return 1;
	return 0;
}

/* A SYN to a listener from a source that has failed: a handshake that
 * completes would show that it receives what is sent to its address, a
 * reset instead that it only wanted to know. Of a raw SYN a reset shows that
 * in any case.
 */
static __always_inline void expect_handshake(const struct suspect *x)
{
	struct waiting *w;
	struct source *s;

	if (is_raw(x))
		expect_reset(x);
	if (x->g.crafted || has_used(x, x->s.dport, 0))
		return; /* nothing new, whatever is known of the source */
	s = find_source(x);
	if (!s || is_over(s, x->now)) {
		note_visit(x);
		return;
	}
	if (!is_raw(x))
		expect_reset(x);
	/* Ports that the host gives out itself, to FTP say, are no choice of
	 * the client's.
	 */
	if (s->proven >= PROOFS || is_ephemeral(x->s.dport))
		return;
	w = waiting_of(x);
	if (w)
		fill(&w->proofs[__sync_fetch_and_add(&w->next_proof, 1) & (PROOF_SLOTS - 1)], x);
}

/* Only who received the SYN+ACK has a full socket: a forger's ACK finds the
 * request at most.
 */
static __always_inline int is_connected(int state)
{
	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_FIN_WAIT1 ||
	       state == BPF_TCP_FIN_WAIT2 || state == BPF_TCP_CLOSE_WAIT;
}

static __always_inline void note_proof(struct suspect *x, struct unanswered *u)
{
	struct source *s = entry_of(&sources, x);
	__u32 n;

	u->probe.target = 0;
	if (!s || is_proof_port(s, x->s.dport))
		return;
	n = s->proven;
	if (n < PROOFS) {
		s->proofs[n] = x->s.dport;
		s->proven = n + 1;
	}
}

/* A later packet of a connection, in sequence: its SYN was answered. The
 * sender of a refused SYN has nothing more to say but a reset, unless he
 * makes up a packet: where connections are tracked that shows.
 */
__noinline int note_answer(struct xdp_md *ctx, struct suspect *x)
{
	struct service key;
	struct waiting *w;
	__u32 target, second;

	if (!x || !(x->s.flags & ACK) || x->s.flags & SYN)
		return 0;
	x->now = boot_ns();
	identify(x);
	w = entry_of(&waiters, x);
	if (!w)
		return 0;
	target = target_of(&x->p, bpf_ntohs(x->s.dport));
	for (int i = 0; i < PROOF_SLOTS; i++)
		if (follows(x, target, &w->proofs[i]) &&
		    is_connected(socket_state(ctx, &x->p, &x->s)))
			note_proof(x, &w->proofs[i]);
	if (x->s.flags & RST)
		return 0;
	for (int i = 0; i < WAITING_SLOTS; i++) {
		if (!follows(x, target, &w->slots[i]))
			continue;
		if (is_made_up(ctx, x))
			return 0;
		w->slots[i].answered = 1;
		/* An ACK clears its sender; that others find a service there
		 * takes data.
		 */
		if (!x->s.payload)
			return 1;
		service_key(&key, x);
		second = x->now / 1000000000;
		bpf_map_update_elem(&published, &key, &second, BPF_ANY);
		return 1;
	}
	return 0;
}

#endif
