/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Layouts, shared with user space: the operator's lists. A change of what is
 * pinned needs a new LAYOUT_VERSION (scan.h).
 */
#ifndef DENMAP_SET_H
#define DENMAP_SET_H

#include "scan.h"

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

enum list_flags {
	LIST_LISTED = 1,
	LIST_WATCH = 2,
};

_Static_assert(sizeof(struct block) == 80, "no hidden padding");

#endif
