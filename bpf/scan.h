/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Layouts shared with user space: bpf2go turns the structures and enums
 * below into Go, so they are written once, here. A change of anything that
 * is kept in a pinned map needs a new LAYOUT_VERSION.
 */
#ifndef DENMAP_SCAN_H
#define DENMAP_SCAN_H

#include <linux/types.h>

enum layout {
	LAYOUT_VERSION = 3,
	PROBE_SLOTS = 32, /* distinct probes remembered of a source: bounds the scores */
	EVENT_PORTS = 16, /* ports reported with an event */
	TOOL_SLOTS = 16,
	IFACE_SLOTS = 64,      /* interfaces protected at once */
	FIRST_SETS = 1 << 16,  /* of newcomers, 128 bytes each: 8 MiB */
	FIRST_WAYS = 4,	       /* newcomers of a set */
	FIRST_PRINTS = 3,      /* failures of one */
	ENTRIES_A_SECOND = 64, /* sources; more are a forged flood */
	DEFAULT_SOURCES = 1 << 15,
	DEFAULT_RECORDS = 1 << 11, /* sources whose packet headers are kept */
	DEAD_MAN_SHIFT = 28,	   /* 0.27 s: its time fits in 32 bits */
	WAITING_SOURCES = 1 << 12, /* sources with probes whose outcome is open */
	WAITING_SLOTS = 16,	   /* such probes of one source */
	PUBLISHED_PORTS = 1 << 14,
	ANSWER_SLOTS = 1 << 14,
	PROOF_SLOTS = 4,
	PROOFS = 3, /* ports with a handshake that make a source proven */
	VISIT_WORDS = 1 << 14,
	HEADERS = 16,	   /* packets kept of one source */
	HEADER_BYTES = 80, /* of a packet, from the IP header on */
	DEFAULT_BANS = 1 << 16,
	HINT_WORDS = 1 << 15, /* of hints, in each half */
	OWN_SLOTS = 1 << 8,
	LIST_MAX = 1 << 21, /* entries of a list */
	ROOTS = 1 << 16,    /* one for each IPv4 /16 */
	ROOT_ROW = 1 << 4,  /* roots in one element: those of a /12 */
	BLOCK_CHUNK = 1 << 11,
	BLOCK_CHUNKS = 1 << 7, /* of one list */
	LEAF_CHUNK = 1 << 14,
	LEAF_CHUNKS = 1 << 9,
	GUIDE_HEADS = 1 << 11, /* words of two bits for each IPv6 /16 */
	GUIDE_WORDS = 1 << 19,
	SHORT_BITS = 24, /* shorter entries are in no word of the guide */
};

/* How a host is probed. In the order of userspace/event.Kind. */
enum scan_kind {
	KIND_SYN,
	KIND_CONNECT,
	KIND_FIN,
	KIND_XMAS,
	KIND_NULL,
	KIND_ACK,
	KIND_MAIMON,
	KIND_ODD_FLAGS,
	KIND_UDP,
	KIND_SCTP,
	KIND_IP_PROTOCOL,
	KIND_OS_FINGERPRINT,
	KIND_FRAGMENT,
	KIND_SWEEP,
};

/* Whose headers a probe carries. In the order of userspace/event.Tool. */
enum scan_tool {
	TOOL_UNKNOWN,
	TOOL_KERNEL,
	TOOL_RAW,
	TOOL_NMAP,
	TOOL_MASSCAN,
	TOOL_ZMAP,
	TOOL_HPING3,
	TOOL_NPING,
	TOOL_SCAPY,
	TOOL_MIRAI,
};

/* What became of a packet and why: the index into the counters. Names and
 * verdicts for people are in loader/counters.go.
 */
enum reason {
	PASS_ESTABLISHED, /* cannot be a probe */
	PASS_NOT_IP,
	PASS_ICMP,
	PASS_TUNNEL, /* a protocol that tunnels and routers speak */
	PASS_LATER_FRAGMENT,
	PASS_NOT_UNICAST,
	PASS_ESSENTIAL, /* neighbour discovery, ICMP errors */
	PASS_PAUSED,
	PASS_ALLOWED,
	PASS_BACKSCATTER,
	PASS_OPEN,	   /* a socket wants it */
	PASS_WAITING,	   /* a later packet will tell */
	PASS_FOREIGN,	   /* not addressed to this host: outcome unknown */
	PASS_IGNORED_PORT, /* detect.ignore_ports */
	PASS_ANSWER,	   /* late, to traffic of this host; or traceroute */
	PASS_SERVICE_GONE, /* the port had a listener lately */
	PASS_REPEATED,	   /* counted before */
	PASS_COUNTED,	   /* a failed probe below the ban threshold */
	PASS_SPARED,	   /* over the threshold, but monitor mode, watched or protected */
	PASS_SHORT_ETHERNET,
	PASS_BAD_VLAN,
	PASS_BAD_IPV4,
	PASS_BAD_IPV6,
	PASS_BAD_TCP,
	PASS_BAD_UDP,
	PASS_BAD_SCTP,
	DROP_DENIED,
	DROP_BANNED,
	DROP_CROSSED, /* this packet crossed the ban threshold */
	DROP_CRAFTED, /* no stack sends this; seen before any ban */
	LOST_EVENT,   /* not a packet: the ring buffer was full */
	LOST_SOURCE,  /* not a packet: the source table refused an entry */
	LOST_BAN,     /* not a packet: the ban table refused an entry */
	REASONS,
};

/* An address prefix: the key of every table that is about addresses, and
 * an LPM key. IPv4 is mapped (::ffff:0:0/96, so a /24 has len 120). A
 * link-local address carries its interface index in the second word, which
 * RFC 4291 2.5.6 leaves zero.
 */
struct prefix {
	__u32 len;
	__be32 addr[4];
};

/* One counted probe. The fingerprint says whether a packet is new: the
 * low half is the destination port as sent (or the protocol number), the
 * high half a hash of destination address and protocol. The rest is for
 * people: denmap why.
 */
struct probe {
	__u32 print;
	__u32 ms; /* since the source's first counted probe */
	__u16 window;
	__u8 kind;   /* enum scan_kind */
	__u8 points; /* 1 or 2 */
	__u8 flags;  /* TCP flags as on the wire */
	__u8 ttl;
	__u8 tool;  /* enum scan_tool */
	__u8 score; /* after this probe, at most 255 */
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
	struct probe probes[PROBE_SLOTS];
};

/* A source that has no entry yet, with its failures. */
struct newcomer {
	__u32 tag;   /* of the source; 0: free */
	__u32 first; /* when, FIRST_TICK_BITS of boot time */
	__u32 latest;
	__u32 from; /* a hash of the address; only an IPv6 source has several */
	__u32 prints[FIRST_PRINTS];
	__u8 kinds[FIRST_PRINTS]; /* enum scan_kind; TWO_POINTS is set for 2 */
	__u8 count;
};

struct newcomers {
	struct newcomer ways[FIRST_WAYS];
};

/* How many sources wanted an entry of late. */
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

/* A port that somebody behind this host answers for; or, with tracked set
 * and no port, an address whose connections the kernel tracks.
 */
struct service {
	__be32 addr[4];
	__be16 port;
	__u8 tracked;
	__u8 pad;
};

/* The headers of a source's counted probes from the alert on, as they came:
 * denmap why --pcap.
 */
struct header {
	__u64 time;   /* boot time, ns */
	__u16 length; /* bytes kept */
	__u16 total;  /* bytes of the packet, as the IP header counts */
	__u8 pad[4];
	__u8 bytes[HEADER_BYTES];
};

struct record {
	__u32 count; /* the next slot is count % HEADERS */
	__u32 pad;
	struct header headers[HEADERS];
};

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

/* Which tables may hold a key: four bits of a word of hints. */
enum hint {
	HINT_BAN = 1,	 /* bans */
	HINT_BLIND = 2,	 /* blind_bans */
	HINT_SOURCE = 4, /* sources */
};

/* One of the host's addresses, where it is found without a hash table. */
struct own {
	__be32 addr[4];
	__u32 used;
	__u32 pad;
};

enum event_type {
	EVENT_ALERT,
	EVENT_BAN,
	EVENT_WOULD_BAN,
};

enum event_flags {
	EVENT_PROTECTED = 1,
	EVENT_WATCHED = 2,
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

/* The operator's lists. An IPv4 address is in one of three sets, an IPv6
 * address in a table of its list.
 */
enum list {
	LIST_ALLOW,
	LIST_DENY,
	LISTS,
};

enum list_set {
	SET_ALLOW,
	SET_WATCH, /* of the allow list too: logged, never banned */
	SET_DENY,
	SETS,
};

/* What a root says of its /16 and a block of a /24. A root from SPREAD_FIRST
 * on is the number of a block, plus SPREAD_FIRST.
 */
enum spread {
	SPREAD_NONE, /* no address is in the set */
	SPREAD_ALL,  /* every address is */
	SPREAD_SOME, /* see its leaf */
	SPREAD_FIRST = 2,
};

/* An array element takes at least eight bytes: these share one. */
struct row {
	__u32 roots[ROOT_ROW];
};

/* A /16 in which some addresses are in a set. Never changed once a root
 * names it: a change is a new block and a new root.
 */
struct block {
	__u64 spread[8]; /* two bits for each /24: enum spread */
	__u32 leaf;	 /* of its first SPREAD_SOME; the others follow */
	__u8 rank[8];	 /* how many of them come before each word */
	__u8 pad[4];
};

/* A /24, a bit for each address. Never changed while a block names it. */
struct leaf {
	__u64 bits[4];
};

/* What the guide says of an IPv6 /16. */
enum guide_head {
	HEAD_NONE,
	HEAD_LONG,  /* holds entries of at least SHORT_BITS only */
	HEAD_SHORT, /* holds or lies in shorter ones */
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
	__u32 hint_half; /* of the hints: the one to read */
	__u32 pad;
	__u64 pause_until; /* boot time, ns; 0: not paused */
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

/* When a port was last found to have a socket. */
struct listener {
	__u32 second; /* of boot time plus one; 0: never */
	__u32 tick;   /* low half of jiffies, UDP only */
};

enum list_flags {
	LIST_LISTED = 1,
	LIST_WATCH = 2,
};

_Static_assert(sizeof(struct prefix) == 20, "an LPM key has no padding");
_Static_assert(sizeof(struct probe) == 16, "no hidden padding");
_Static_assert(sizeof(struct source) == 96 + PROBE_SLOTS * 16, "no hidden padding");
_Static_assert(sizeof(struct block) == 80, "no hidden padding");
_Static_assert(sizeof(struct ban) == 40, "no hidden padding");
_Static_assert(sizeof(struct event) == 168, "user space rejects any other length");

#endif
