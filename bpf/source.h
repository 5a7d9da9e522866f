/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Layouts, shared with user space: what is known of sources and ports. A
 * change of what is pinned needs a new LAYOUT_VERSION (scan.h).
 */
#ifndef DENMAP_SOURCE_H
#define DENMAP_SOURCE_H

#include "scan.h"

/* What is remembered of each counted probe: its target, which says whether a
 * packet is new, and what it counted for. The target is the destination port
 * as sent (or the protocol number) and a hash of destination address and
 * protocol; of two addresses one port is taken for the same once in 2048
 * pairs.
 */
enum print {
	PRINT_PORT = 0xffff,
	PRINT_TARGET_BITS = 27,
	PRINT_TWO_POINTS = 1 << PRINT_TARGET_BITS, /* else one */
	PRINT_KIND_SHIFT = PRINT_TARGET_BITS + 1,  /* enum scan_kind */
};

/* The probe at hand. */
struct probe {
	__u32 target; /* the low PRINT_TARGET_BITS of a print */
	__u16 window;
	__u8 kind;   /* enum scan_kind */
	__u8 points; /* 1 or 2 */
	__u8 flags;  /* TCP flags as on the wire */
	__u8 ttl;
	__u8 tool; /* enum scan_tool */
	__u8 pad;
};

enum source_flags {
	SOURCE_MANY = 1, /* evidence from more than one address of the prefix */
	SOURCE_WIDE = 2, /* banned with all of its prefix */
};

/* What is known of a scored source. Every field is updated in place and
 * without a lock: the scores by compare-and-swap, sets by atomic or. Two
 * copies of one probe on two CPUs at once may both be counted.
 */
struct source {
	__u64 score;	    /* points << 40 | time of the last decay, ms of boot time */
	__u64 udp_score;    /* the same for UDP, which has thresholds of its own */
	__u64 first;	    /* boot time of the first counted probe, ns */
	__u64 last;	    /* of the latest */
	__u64 banned_until; /* end of the ban given from here, 0: none */
	__be32 addr[4];	    /* the first address seen, whole */
	__u32 kinds;	    /* 1 << enum scan_kind */
	enum source_flags flags;
	__u32 counted; /* distinct probes; the next slot is counted % PROBE_SLOTS */
	__u32 ifindex;
	__be16 proofs[PROOFS];	/* ports that its handshakes completed on since its first failure */
	__u8 proven;		/* how many of them */
	__u8 strikes;		/* proven bans so far */
	__u8 tools[TOOL_SLOTS]; /* packets by enum scan_tool, saturating */
	__u32 prints[PROBE_SLOTS]; /* enum print */
};

/* A source that has no entry yet, with its failures. */
struct newcomer {
	__u32 tag;		    /* of the source; 0: free */
	__u32 first;		    /* when, FIRST_TICK_BITS of boot time */
	__u32 from;		    /* a hash of the address; only an IPv6 source has several */
	__u32 prints[FIRST_PRINTS]; /* enum print */
	__u8 count;
	__u8 pad[3];
};

/* Each entry: the low bits are the serial number of a newcomer, the rest is
 * of its tag.
 */
struct index_set {
	__u32 entries[FIRST_WAYS];
};

/* How often sources wanted an entry of late: once for each failure that was
 * enough for one, so a source that is put off wants it again with the next.
 */
struct pressure {
	__u64 second; /* of boot time */
	__u32 now;    /* in that second */
	__u32 before; /* in the one before */
};

/* A SYN that no socket of this host answers for: behind address translation
 * or on another host somebody may. It fails when it goes unanswered.
 */
struct unanswered {
	struct probe probe;
	__be32 src[4];
	__be32 dst[4];
	__u32 ms;  /* boot time, low half */
	__u32 isn; /* its sequence number, host order */
	__u32 ifindex;
	__u16 id; /* of an IPv4 packet */
	__be16 sport;
	__u8 answered; /* a later packet came */
	__u8 pad[3];
};

struct waiting {
	__u32 next; /* slot to use next */
	__u32 next_proof;
	struct unanswered slots[WAITING_SLOTS];
	/* SYNs to listeners, whose handshakes would prove the address */
	struct unanswered proofs[PROOF_SLOTS];
};

/* A SYN to a listener. */
struct opening {
	__u32 tag; /* of its connection; 0: free */
	__u32 isn; /* host order */
	__u16 window;
	__u8 ttl;
	__u8 tool; /* enum scan_tool */
	__u8 raw;  /* no connect() sends such a header */
	__u8 pad;
	__u16 tick; /* of its first SYN, OPENING_TICK_BITS of boot time */
};

/* A port that somebody behind this host answers for; or, with tracked set
 * and no port, an address whose connections the kernel tracks.
 */
struct service {
	__be32 addr[4];
	__be16 port;
	__u8 tracked;
	__u8 pad;
};

/* When a port was last found to have a socket. */
struct listener {
	__u32 second; /* of boot time plus one; 0: never */
	__u32 tick;   /* low half of jiffies, UDP only */
};

/* What one counted probe of a source looked like, for people: denmap why. */
struct trace {
	__u64 time;  /* boot time, ns; 0: free */
	__u32 nth;   /* of the source's counted probes, from 0 on */
	__u16 total; /* bytes of the packet, as the IP header counts */
	__u16 window;
	__u8 length; /* bytes kept, 0 of a probe that had waited for its outcome */
	__u8 flags;  /* TCP flags as on the wire */
	__u8 ttl;
	__u8 tool;  /* enum scan_tool */
	__u8 score; /* after this probe, at most 255 */
	__u8 pad[3];
	__u8 bytes[HEADER_BYTES];
};

/* The latest of a source; the nth is in slot nth % TRACES. */
struct record {
	struct trace traces[TRACES];
};

/* Which tables may hold a key: four bits of a word of hints. */
enum hint {
	HINT_BAN = 1,	 /* bans */
	HINT_BLIND = 2,	 /* blind_bans */
	HINT_SOURCE = 4, /* sources */
};

_Static_assert(sizeof(struct trace) == 24 + HEADER_BYTES, "no hidden padding");
_Static_assert(sizeof(struct source) == 96 + PROBE_SLOTS * 4, "no hidden padding");

#endif
