/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_MAPS_H
#define DENMAP_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "settings.h"
#include "source.h"
#include "state.h"

/* Which other tables hold anything. One entry; see struct gate. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate);
} gates SEC(".maps");

/* Which tables the program has put something into: enum mark. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MARKS);
	__type(key, __u32);
	__type(value, __u32);
} marks SEC(".maps");

/* Identity of this state. One entry, written once by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct meta);
} metas SEC(".maps");

/* Protected interfaces by slot. Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct iface);
} ifaces SEC(".maps");

/* Packets by interface slot and reason: iface_slot * REASONS + reason.
 * Written by the program of that interface, read and summed by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IFACE_SLOTS *REASONS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Allow and deny lists, IPv4: see lists.h. Arrays of a fixed size inside
 * arrays of maps: what a list does not use costs no memory, and the kernel
 * inlines every look-up. Written by user space only, in place.
 */
#define PIECES(name, slots, length, what)                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, slots);                                                        \
		__type(key, __u32);                                                                \
		__array(                                                                           \
		    values, struct {                                                               \
			    __uint(type, BPF_MAP_TYPE_ARRAY);                                      \
			    __uint(max_entries, length);                                           \
			    __uint(map_flags, BPF_F_MMAPABLE);                                     \
			    __type(key, __u32);                                                    \
			    __type(value, what);                                                   \
		    });                                                                            \
	} name SEC(".maps")

PIECES(list_roots, SETS, ROOTS / ROOT_ROW, struct row);		     /* by enum list_set */
PIECES(list_marks, SETS, ROOTS *MARKS_A_ROOT, __u64);		     /* by enum list_set */
PIECES(list_blocks, LISTS *BLOCK_CHUNKS, BLOCK_CHUNK, struct block); /* each list has its own */
PIECES(list_leaves, LISTS *LEAF_CHUNKS, LEAF_CHUNK, struct leaf);
PIECES(list6_guides, LISTS, GUIDE_HEADS + GUIDE_WORDS, __u64); /* by enum list, IPv6 */

/* The IPv6 entries of each list. Value: enum list_flags. The loader makes
 * them as large as the list needs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, LISTS);
	__type(key, __u32);
	__array(
	    values, struct {
		    __uint(type, BPF_MAP_TYPE_HASH);
		    __uint(max_entries, 1);
		    __uint(map_flags, BPF_F_NO_PREALLOC);
		    __type(key, struct prefix);
		    __type(value, enum list_flags);
	    });
} list6_tables SEC(".maps");

/* Bans that the program gave on evidence anybody could forge. LRU, because
 * a sender chooses the keys: a flood of forged sources pushes out bans of
 * this table and none of the next.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_BANS);
	__type(key, struct prefix);
	__type(value, struct ban);
} blind_bans SEC(".maps");

/* Manual and proven bans. Written by user space and, proven ones, by the
 * program. Never evicted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFAULT_BANS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct ban);
} bans SEC(".maps");

/* Bans at work. One entry for each CPU. Written by the program. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stop_row);
} stops SEC(".maps");

/* When user space last lifted a ban, ns of boot time: what stops held before
 * then is void. One entry.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lifts SEC(".maps");

/* Which keys the tables of bans and sources may hold: four bits for each
 * hash, enum hint. Most packets are spared a hash look-up by one array read.
 * Set by whoever makes an entry, after it; cleared by user space, which
 * fills one half anew while the program reads the other.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * HINT_WORDS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} table_hints SEC(".maps");

/* The latest reading of the clock: ms of boot time << CLOCK_TICK_BITS | low
 * bits of the jiffies then. One entry. Written by the program.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} clocks SEC(".maps");

/* Scored sources: IPv4 /32, IPv6 by ipv6_prefix or /128. Written by the
 * program, read by user space. LRU, because a sender chooses the keys; a
 * source enters on its second distinct failure, in a flood on its fourth,
 * so that forged sources of few packets each do not reach it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_SOURCES);
	__type(key, struct prefix);
	__type(value, struct source);
} sources SEC(".maps");

/* Probes whose outcome is open, under the source's key. Written by the
 * programs only. LRU: a sender chooses the keys.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WAITING_SOURCES);
	__type(key, struct prefix);
	__type(value, struct waiting);
} waiters SEC(".maps");

/* Ports that answered without a socket of this host, and addresses whose
 * connections are tracked, and when, seconds of boot time. Written by the
 * program only.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PUBLISHED_PORTS);
	__type(key, struct service);
	__type(value, __u32);
} published SEC(".maps");

/* When a source last had a probe waiting, low half of jiffies, by hash of
 * its address: so that established traffic of others costs one array look.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ANSWER_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u32);
} answers SEC(".maps");

/* Which sources used which open ports while nothing spoke against them, a
 * bit by hash of both and one for any port: a handshake there proves nothing
 * later. Set by the program, cleared by user space once a day.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VISIT_WORDS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} visits SEC(".maps");

/* SYNs to listeners that may turn out half-open probes, by hash of the
 * connection. The program overwrites what it needs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OPENING_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct opening);
} openings SEC(".maps");

/* What the probes of sources that have an entry looked like, under the
 * source's key. Written by the program, read by user space. LRU: the latest count.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_RECORDS);
	__type(key, struct prefix);
	__type(value, struct record);
} records SEC(".maps");

/* Failures of sources that have no entry yet, a ring of which FIRST_FILES
 * are kept: see filter.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FIRST_FILES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct newcomer);
} first_failures SEC(".maps");

/* The newcomer to write next, modulo FIRST_FILES. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u32);
} first_next SEC(".maps");

/* Where the failures of a source are, by hash of its key. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FIRST_SETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct index_set);
} first_index SEC(".maps");

/* How often sources wanted an entry of late. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct pressure);
} pressures SEC(".maps");

/* When a port last had a socket: TCP by port, UDP by port + LISTENED_UDP.
 * Written by the program when a look-up finds one and by user space.
 */
#define LISTENED_UDP (1 << 16)
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LISTENED_UDP * 2);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct listener);
} listened SEC(".maps");

/* The host's own unicast addresses: where the socket table knows the
 * outcome of a probe. Value unused. Written by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} own_addrs SEC(".maps");

/* The same addresses by hash, where there is room: one array read for most
 * packets. Written by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OWN_SLOTS);
	__type(key, __u32);
	__type(value, struct own);
} own_slots SEC(".maps");

/* Addresses that are never banned automatically: the host's own, gateways,
 * resolvers, remote ends of logged-in sessions. Written by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} protected SEC(".maps");

/* Directly connected IPv6 prefixes, whose hosts are scored one by one.
 * Written by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1 << 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} onlink SEC(".maps");

/* Crossings of a threshold, for user space. 1 MiB holds some 6,500 events:
 * 0.6 s of a flood at 10,000 detections a second.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__type(value, struct event);
} events SEC(".maps");

static __always_inline void count(enum reason reason)
{
	__u32 index = iface_slot * REASONS + reason;
	__u64 *n = bpf_map_lookup_elem(&counters, &index);

	if (n)
		(*n)++;
}

static __always_inline void set_mark(enum mark mark)
{
	__u32 index = mark, *set = bpf_map_lookup_elem(&marks, &index);

	if (set && !*set)
		*set = 1;
}

static __always_inline int has_mark(enum mark mark)
{
	__u32 index = mark, *set = bpf_map_lookup_elem(&marks, &index);

	return set && *set;
}

static __always_inline int translates(void)
{
	__u32 zero = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &zero);

	return gate && gate->nat;
}

#endif
