/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef DENMAP_CLOCK_H
#define DENMAP_CLOCK_H

#include "maps.h"

#define CLOCK_TICK_BITS 24
#define CLOCK_TICK_MASK ((1ULL << CLOCK_TICK_BITS) - 1)

/* Boot time, at most a tick and a millisecond old: reading the clock costs
 * as much as a hash look-up, so of all packets of a tick only one does. Time
 * never goes back, since only one of several readings at once is kept. After
 * 2^24 ticks without a reading (4 hours at least), one in 2^24 ticks is taken
 * for the old one.
 */
static __always_inline __u64 boot_ns(void)
{
	__u64 tick = bpf_jiffies64() & CLOCK_TICK_MASK, old, now, *clock;
	__u32 zero = 0;

	if (test_clock)
		return test_now;
	clock = bpf_map_lookup_elem(&clocks, &zero);
	if (!clock)
		return bpf_ktime_get_boot_ns();
	old = *(volatile __u64 *)clock;
	if ((old & CLOCK_TICK_MASK) == tick)
		return (old >> CLOCK_TICK_BITS) * 1000000;
	now = bpf_ktime_get_boot_ns() / 1000000 << CLOCK_TICK_BITS | tick;
	if (!__sync_bool_compare_and_swap(clock, old, now))
		now = *(volatile __u64 *)clock;
	return (now >> CLOCK_TICK_BITS) * 1000000;
}

/* Of struct gate: a host that slept was not without its daemon. */
static __always_inline __u32 awake(void)
{
	return (test_clock ? test_now : bpf_ktime_get_coarse_ns()) >> DEAD_MAN_SHIFT;
}

#define RECHECK_TICKS 64 /* 64 ms to 0.64 s */

/* Cheap, of unknown rate (100 to 1000 Hz): only good for "a while ago". */
static __always_inline __u64 ticks(void)
{
	return test_clock ? test_now >> 22 : bpf_jiffies64();
}

#endif
