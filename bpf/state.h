/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Layouts, shared with user space: the host, its interfaces, and switches. A
 * change of what is pinned needs a new LAYOUT_VERSION (scan.h).
 */
#ifndef DENMAP_STATE_H
#define DENMAP_STATE_H

#include "set.h"

/* One of the host's addresses, where it is found without a hash table. */
struct own {
	__be32 addr[4];
	__u32 used;
	__u32 pad;
};

/* What the lists hold, so that an empty one costs no look-up, and the
 * switch that pauses everything. Written by user space.
 */
struct gate {
	__u32 sets;		 /* 1 << enum list_set: holds IPv4 addresses */
	__u32 tables;		 /* 1 << enum list: holds IPv6 entries */
	__u32 entries[LISTS];	 /* how many lines, for people */
	__u64 lengths[LISTS][2]; /* 1 << length of the IPv6 entries, 0 to 127 */
	__u32 whole[LISTS];	 /* whether there are whole IPv6 addresses */
	__u32 nat; /* addresses are translated here: packets for other hosts find no socket */
	/* From when on everything passes unless the daemon moves it ahead: its
	 * dead man's switch. Time awake, in DEAD_MAN_SHIFT units; 0: none.
	 */
	__u32 pass_after;
	__u32 hint_half;    /* of the hints: the one to read */
	__u32 list_changes; /* how often a list was to change, by whatever process */
	/* A bit for the hash of the first 64 bits of each prefix in onlink; all
	 * if one is shorter.
	 */
	__u64 onlink;
	__u64 pause_until; /* boot time, ns; 0: not paused; the last: scan.h */
};

/* Tables that the program fills too. An entry each, only ever set: nobody's
 * write undoes another's.
 */
enum mark {
	MARK_BANS, /* of any grade */
	MARK_WAITERS,
	MARKS,
};

/* Identity of the pinned state. */
struct meta {
	__u32 layout;
	__u32 alert_score; /* the settings in force, for commands that only read */
	__u32 ban_score;
	__u32 udp_alert_score;
	__u32 udp_ban_score;
	__u32 ipv6_prefix;
	__u32 pad;
	__u64 decay_ms;
	__u64 ban_ns;
	__u64 seed;  /* of every hash, so that adopted entries keep their meaning */
	__u64 netns; /* inode of the network namespace it protects */
};

enum iface_flags {
	IFACE_GENERIC = 1,
	IFACE_MONITOR = 2,
	IFACE_FRAGS = 4, /* takes packets of several buffers */
};

/* One protected interface, by slot; ifindex 0: free. */
struct iface {
	__u32 ifindex;
	enum iface_flags flags;
	__u64 since; /* boot time, ns */
	__u8 name[16];
};

_Static_assert(sizeof(struct iface) == 32, "read by other layouts: scan.h");
_Static_assert(sizeof(struct meta) >= 64, "read by other layouts: scan.h");

#endif
