/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_PUNISH_H
#define DENMAP_PUNISH_H

#include "score.h"
#include "visits.h"

/* The prefix that a ban of this source names: the one address that all
 * evidence came from, or all of an IPv6 prefix.
 */
static __always_inline void ban_key(struct prefix *out, const struct suspect *x,
				    const struct source *s)
{
	if (s->flags & SOURCE_MANY)
		*out = x->key;
	else
		whole_address(out, x->p.src, x->ifindex);
}

static __always_inline int is_protected(const struct suspect *x)
{
	struct prefix key;

	whole_address(&key, x->p.src, x->ifindex);
	return bpf_map_lookup_elem(&protected, &key) != NULL;
}

/* Evidence against several addresses of a prefix proves none of them. */
static __always_inline enum ban_grade grade_of(const struct source *s)
{
	return s->proven >= PROOFS && !(s->flags & SOURCE_MANY) ? GRADE_PROVEN : GRADE_BLIND;
}

static __always_inline void send(const struct suspect *x, const struct source *s,
				 enum event_type type, __u32 score, __u32 threshold)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	__u32 counted = s->counted;

	if (!e) {
		count(LOST_EVENT);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time = x->now;
	e->first = s->first;
	e->until = type == EVENT_BAN ? s->banned_until : 0;
	ban_key(&e->source, x, s);
	__builtin_memcpy(e->dst, x->p.dst, sizeof(e->dst));
	e->ifindex = x->ifindex;
	e->type = type;
	e->flags = x->spared | (has_used(x, ANY_PORT, 0) ? EVENT_VISITOR : 0) |
		   (is_alone(x, s) ? EVENT_ALONE : 0);
	e->kinds = s->kinds;
	e->score = score;
	e->threshold = threshold;
	e->distinct = counted;
	e->grade = grade_of(s);
	e->protocol = x->p.protocol;
	e->seq = x->s.seq;
	e->ip_id = x->p.id;
	e->sport = x->s.sport;
	__builtin_memcpy(e->tools, s->tools, sizeof(e->tools));
	for (__u32 i = 0; i < EVENT_PORTS; i++) {
		__u32 print = s->prints[(counted - 1 - i) & (PROBE_SLOTS - 1)];

		e->ports[i] = bpf_htons(print & PRINT_PORT);
		e->port_kinds[i] = kind_in(print);
	}
	bpf_ringbuf_submit(e, 0);
}

/* Each further proven ban of a source lasts longer. */
static __always_inline __u64 proven_ns(const struct source *s)
{
	__u64 ns = ban_ns;

	for (int i = 0; i < 16 && i < s->strikes && ns < ban_max_ns; i++)
		ns *= ban_multiplier;
	return ns < ban_max_ns ? ns : ban_max_ns;
}

/* Gives the ban. A proven one that finds no room is still a blind one, and
 * one that finds a longer ban leaves that: what waited before a manual ban
 * may fail under it.
 */
__noinline int give_ban(struct suspect *x, struct source *s)
{
	struct ban ban = {}, *longer;
	struct prefix key;

	if (!x || !s)
		return 0;
	key = x->key;
	ban.since = x->now;
	ban.until = x->now + ban_ns;
	ban.grade = grade_of(s);
	ban.ifindex = x->ifindex;
	/* What still waits belongs to the scan that is punished now. */
	bpf_map_delete_elem(&waiters, &key);
	ban_key(&key, x, s);
	if (ban.grade == GRADE_PROVEN) {
		ban.until = x->now + proven_ns(s);
		longer = bpf_map_lookup_elem(&bans, &key);
		if (longer && longer->until >= ban.until) {
			s->banned_until = longer->until;
			return 0;
		}
		if (!bpf_map_update_elem(&bans, &key, &ban, BPF_ANY)) {
			s->banned_until = ban.until;
			if (s->strikes < 255)
				s->strikes++;
			set_hint(hash_key(&key), HINT_BAN);
			return 0;
		}
		ban.until = x->now + ban_ns;
		ban.grade = GRADE_BLIND;
	}
	s->banned_until = ban.until;
	if (bpf_map_update_elem(&blind_bans, &key, &ban, BPF_ANY))
		count(LOST_BAN);
	set_hint(hash_key(&key), HINT_BLIND);
	return 0;
}

/* Whether the ban that was given is still in its table: blind ones are
 * pushed out by newer ones.
 */
static __always_inline int is_in_force(const struct suspect *x, const struct source *s)
{
	struct prefix key;

	ban_key(&key, x, s);
	return bpf_map_lookup_elem(&blind_bans, &key) || bpf_map_lookup_elem(&bans, &key);
}

/* Whether this packet is the one that brings the ban, also where the score
 * was reached while none was allowed. Of many at once exactly one is.
 */
static __always_inline int brings_ban(const struct suspect *x, struct source *s)
{
	__u64 until = s->banned_until;

	if (s->flags & SOURCE_MANY && !(__sync_fetch_and_or(&s->flags, SOURCE_WIDE) & SOURCE_WIDE))
		return 1;
	if (until > x->now)
		return 0;
	return __sync_bool_compare_and_swap(&s->banned_until, until, x->now + ban_ns);
}

/* Which score a probe counts for, and what that score may reach. */
struct track {
	__u64 *score;
	__u32 alert;
	__u32 ban;
};

static __always_inline struct track track_of(struct source *s, __u8 kind)
{
	if (is_udp_kind(kind))
		return (struct track){&s->udp_score, udp_alert_score, udp_ban_score};
	return (struct track){&s->score, alert_score, ban_score};
}

static const struct record blank_record = {};

/* Keeps what the probe looks like for denmap why. */
__noinline int keep_trace(struct suspect *x, __u32 score)
{
	struct record *r;
	struct trace *t;

	if (!x)
		return 0;
	r = entry_of(&records, x);
	if (!r)
		r = entry_made(&records, x, &blank_record);
	if (!r)
		return 0;
	t = &r->traces[x->nth & (TRACES - 1)];
	t->time = x->now;
	t->nth = x->nth;
	t->total = x->p.total < 0xffff ? x->p.total : 0xffff;
	t->window = x->probe.window;
	t->length = 0;
	t->flags = x->probe.flags;
	t->ttl = x->probe.ttl;
	t->tool = x->probe.tool;
	t->score = score < 255 ? score : 255;
	x->traced = 1;
	return 0;
}

/* The same for the packet's headers, as they came. */
__noinline int keep_headers(struct xdp_md *ctx, struct suspect *x)
{
	void *end = (void *)(long)ctx->data_end;
	struct record *r;
	struct trace *t;
	__u8 *from;

	if (!x)
		return -1;
	r = entry_of(&records, x);
	if (!r)
		return -1;
	t = &r->traces[x->nth & (TRACES - 1)];
	from = (void *)(long)ctx->data + (x->p.offset & 127);
	for (int i = 0; i < HEADER_BYTES; i++) {
		if ((void *)(from + i + 1) > end || i >= t->total)
			break;
		t->bytes[i] = from[i];
		t->length = i + 1;
	}
	return 0;
}

/* What the score may reach: twice a ban, so that a long scan is forgotten in
 * finite time.
 */
static __always_inline __u32 limit_of(const struct suspect *x, const struct track *t)
{
	return x->faint ? t->alert : 2 * t->ban;
}

/* Scores a failed probe and says what becomes of the packet. */
__noinline int punish(struct suspect *x)
{
	__u32 before, after;
	struct source *s;
	struct track t;

	if (!x || (!x->due && is_filed(x)))
		return PASS_COUNTED;
	s = note_failure(x);
	if (!s)
		return PASS_COUNTED;
	t = track_of(s, x->probe.kind);
	before = add_points(t.score, x->probe.points, limit_of(x, &t), x->now);
	after = before + x->probe.points;
	if (x->faint && after > t.alert)
		after = before > t.alert ? before : t.alert;
	keep_trace(x, after);
	if (after >= t.alert && is_protected(x))
		x->spared |= EVENT_PROTECTED;
	if (after < t.ban) {
		if (before < t.alert && after >= t.alert)
			send(x, s, EVENT_ALERT, after, t.alert);
		return PASS_COUNTED;
	}
	if (x->spared || monitor) {
		if (before < t.ban)
			send(x, s, EVENT_WOULD_BAN, after, t.ban);
		return PASS_SPARED;
	}
	if (brings_ban(x, s)) {
		give_ban(x, s);
		send(x, s, EVENT_BAN, after, t.ban);
	} else if (!is_in_force(x, s)) {
		give_ban(x, s);
	}
	return DROP_CROSSED;
}

#endif
