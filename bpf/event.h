/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Layouts, shared with user space: bans, and what is told of them. A change
 * of what is pinned needs a new LAYOUT_VERSION (scan.h).
 */
#ifndef DENMAP_EVENT_H
#define DENMAP_EVENT_H

#include "scan.h"

enum ban_grade {
	GRADE_BLIND,
	GRADE_PROVEN,
	GRADE_MANUAL,
};

struct ban {
	__u64 since;   /* boot time, ns */
	__u64 until;   /* boot time, ns; FOREVER: no end */
	__u64 recheck; /* jiffies: the clock is not read before this */
	__u64 dropped; /* packets */
	enum ban_grade grade;
	__u32 ifindex;
};

/* A ban at work: what a CPU remembers of one that stopped a packet of an
 * address, so that the next packet needs no hash table, nor a counter that
 * all CPUs write. It holds until the ban's end is looked at again.
 */
struct stop {
	__be32 addr[4]; /* as sent */
	__u32 ifindex;
	enum ban_grade grade; /* as those of the ban */
	__u64 recheck;
	__u64 since;
	__u64 lifted;	   /* when a ban was last lifted, before */
	__u64 dropped;	   /* packets that the ban's counter lacks */
	struct prefix key; /* where the ban is */
	__u32 pad;
};

struct stop_row {
	struct stop slots[STOP_SLOTS]; /* by hash of the address */
};

enum event_type {
	EVENT_ALERT,
	EVENT_BAN,
	EVENT_WOULD_BAN,
};

enum event_flags {
	EVENT_PROTECTED = 1,
	EVENT_WATCHED = 2,
	EVENT_VISITOR = 4, /* used a service before anything spoke against it */
	EVENT_ALONE = 8,   /* nobody else sends the same */
};

/* A crossing of a threshold, sent through the ring buffer. */
struct event {
	__u64 time;  /* boot time, ns */
	__u64 first; /* of the first counted probe */
	__u64 until; /* end of the ban */
	struct prefix source;
	__be32 dst[4];
	__u32 ifindex;
	enum event_type type;
	enum event_flags flags;
	__u32 kinds;
	__u32 score;
	__u32 threshold;
	__u32 distinct;
	enum ban_grade grade;
	__u32 protocol; /* IP protocol of the crossing packet */
	__u32 seq;	/* of it: decoys share them */
	__u16 ip_id;
	__be16 sport;
	__u8 tools[TOOL_SLOTS];
	__be16 ports[EVENT_PORTS]; /* of the latest probes; min(distinct, EVENT_PORTS) are valid */
	__u8 port_kinds[EVENT_PORTS]; /* enum scan_kind of the same probes */
};

_Static_assert(sizeof(struct ban) == 40, "read by other layouts: scan.h");
_Static_assert(sizeof(struct stop) == 80, "no hidden padding");
_Static_assert(sizeof(struct event) == 168, "user space rejects any other length");

#endif
