/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_SETTINGS_H
#define DENMAP_SETTINGS_H

#include "state.h"

/* Settings of one attached program, set by the loader before the load. A
 * change of configuration is a new program in the place of the old one, so
 * the verifier folds them in and no packet pays for them.
 */
volatile const __u32 iface_slot = 0;	  /* this interface's row of counters */
volatile const __u32 own_ifindex = 0;	  /* of this interface; 0: any */
volatile const __u8 link_is_ethernet = 1; /* else frames begin with the IP header */
volatile const __be16 own_mac[3] = {};	  /* of this interface */
volatile const __u8 bridge_port = 0;	  /* frames for others pass here on their way */
volatile const __u8 has_conntrack = 0;	  /* the kernel can be asked */
volatile const __u8 monitor = 0;	  /* detect and report, never ban */
volatile const __u8 drop_crafted = 1;
volatile const __u32 alert_score = 4;
volatile const __u32 ban_score = 8;
volatile const __u32 udp_alert_score = 8; /* also for one-port sweeps */
volatile const __u32 udp_ban_score = 16;
volatile const __u64 decay_ms = 30 * 60 * 1000;
volatile const __u32 ipv6_prefix = 64;
volatile const __u8 ban_prefixes[BAN_PREFIXES] = {64}; /* that IPv6 bans may have, longest first */
volatile const __u64 ban_ns = 600ULL * 1000 * 1000 * 1000;
volatile const __u32 ban_multiplier = 4; /* of each further proven ban */
volatile const __u64 ban_max_ns = 86400ULL * 1000 * 1000 * 1000;
volatile const __u16 ephemeral_min = 32768; /* ip_local_port_range */
volatile const __u16 ephemeral_max = 60999;
volatile const __u64 hash_seed = 0;
volatile const __u32 entry_limit = ENTRIES_A_SECOND;
volatile const __u64 ignored_ports[1024] = {}; /* bit set, detect.ignore_ports */

/* Tests and replay bring their own clock, and replay the outcomes. */
volatile const __u8 test_clock = 0;
volatile __u64 test_now = 0;	 /* boot time, ns */
volatile __u32 test_outcome = 0; /* enum outcome + 1; 0: ask the socket table */

#endif
