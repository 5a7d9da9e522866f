/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the program and user space share: the numbers, the ways and tools of
 * scans, the counters' reasons and address prefixes; source.h, event.h,
 * set.h and state.h have the rest. bpf2go turns the structures and enums
 * into Go, so they are written once, here. A change of anything that is kept
 * in a pinned map, in any of these files, needs a new LAYOUT_VERSION.
 *
 * Four structures never change, since a denmap of another layout reads them
 * when it takes over: prefix, ban, iface and the fields that meta has. What
 * is new of a ban goes into a table of its own. The end of a pause stays
 * the last field of gate. So do the names of their maps stay: bans,
 * blind_bans, gates, ifaces, metas.
 */
#ifndef DENMAP_SCAN_H
#define DENMAP_SCAN_H

#include <linux/types.h>

enum layout {
	LAYOUT_VERSION = 6,
	PROBE_SLOTS = 32, /* distinct probes remembered of a source: bounds the scores */
	EVENT_PORTS = 16, /* ports reported with an event */
	TOOL_SLOTS = 16,
	IFACE_SLOTS = 64,      /* interfaces protected at once */
	FIRST_FILES = 1 << 18, /* of newcomers */
	FIRST_SETS = 1 << 17,  /* of their index */
	FIRST_WAYS = 4,	       /* of a set */
	FIRST_PRINTS = 3,      /* failures of one */
	ENTRIES_A_SECOND = 64, /* wanted; more are a forged flood */
	DEFAULT_SOURCES = 1 << 16,
	DEFAULT_RECORDS = 1 << 12, /* sources whose probes are kept as they came */
	DEAD_MAN_SHIFT = 28,	   /* 0.27 s: its time fits in 32 bits */
	WAITING_SOURCES = 1 << 12, /* sources with probes whose outcome is open */
	WAITING_SLOTS = 16,	   /* such probes of one source */
	PUBLISHED_PORTS = 1 << 14,
	ANSWER_SLOTS = 1 << 14,
	OPENING_SLOTS = 1 << 14, /* SYNs to listeners whose handshake is open */
	PROOF_SLOTS = 4,
	PROOFS = 3, /* ports with a handshake that make a source proven */
	VISIT_WORDS = 1 << 14,
	TRACES = 16,	   /* probes of a source of which more is kept */
	HEADER_BYTES = 80, /* kept of a packet, from the IP header on */
	DEFAULT_BANS = 1 << 16,
	STOP_SLOTS = 1 << 7,  /* of bans at work, for each CPU */
	BAN_PREFIXES = 4,     /* lengths of IPv6 prefixes that are looked up */
	HINT_WORDS = 1 << 15, /* of hints, in each half */
	OWN_SLOTS = 1 << 8,
	LIST_MAX = 1 << 21,    /* entries of a list */
	ROOTS = 1 << 16,       /* one for each IPv4 /16 */
	MARKS_A_ROOT = 1 << 1, /* words of a bit for each /23 */
	ROOT_ROW = 1 << 4,     /* roots in one element: those of a /12 */
	BLOCK_CHUNK = 1 << 11,
	BLOCK_CHUNKS = 1 << 7, /* of one list */
	LEAF_CHUNK = 1 << 14,
	LEAF_CHUNKS = 1 << 9,
	GUIDE_HEADS = 1 << 11, /* words of two bits for each IPv6 /16 */
	GUIDE_WORDS = 1 << 18,
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

_Static_assert(sizeof(struct prefix) == 20, "an LPM key has no padding");

#endif
