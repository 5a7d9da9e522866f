// SPDX-License-Identifier: MIT

package scans

import (
	"container/heap"
	"container/list"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// scan is one open scan. The goroutine of Run owns it.
type scan struct {
	id    string
	facts event.Scan // latest totals; Source is the key in table.bySource
	iface string

	heard time.Time // by the tracker's clock, when the source was last heard
	due   time.Time // when to look at it again

	told      event.Kinds  // kinds that a scan-detected line has named
	alerts    int          // scan-detected lines so far
	wouldBan  bool         // a source-banned line with Enforced=false was written
	banned    bool         // a ban is running, as far as is known
	since     time.Time    // when that ban was given
	ban       netip.Prefix // what that ban covers: the source, or one address of it
	manual    bool         // there is no scan behind this: an operator's ban
	place     *place
	group     *group // set by its first detection that can be compared
	alone     bool   // at its latest detection
	heapIndex int
	age       *list.Element
}

// table finds open scans by source, by due time and by age.
type table struct {
	bits     int                    // Options.IPv6Prefix
	bySource map[netip.Prefix]*scan // exact source
	byNet    map[netip.Prefix]*scan // IPv6 only: the latest one inside this scored prefix
	queue    dueQueue               // earliest due first
	ages     *list.List             // oldest first, of *scan
}

func newTable(bits int) *table {
	return &table{
		bits:     bits,
		bySource: map[netip.Prefix]*scan{},
		byNet:    map[netip.Prefix]*scan{},
		ages:     list.New(),
	}
}

func (t *table) len() int { return len(t.bySource) }

// net returns the prefix under which the kernel scores an IPv6 source.
func (t *table) net(p netip.Prefix) (netip.Prefix, bool) {
	if !p.Addr().Is6() || p.Addr().Is4In6() || p.Bits() < t.bits {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(p.Addr(), t.bits).Masked(), true
}

// find returns the open scan that a report about p belongs to, or nil. The
// kernel names an IPv6 source by its one address first and by the whole
// scored prefix once a second address takes part, so a single address
// belongs to an open scan of its prefix and a prefix takes over the scan
// of its single address.
func (t *table) find(p netip.Prefix) *scan {
	if s := t.bySource[p]; s != nil {
		return s
	}
	n, ok := t.net(p)
	if !ok {
		return nil
	}
	s := t.byNet[n]
	if s == nil {
		return nil
	}
	if p == n { // it grew
		t.move(s, p)
		return s
	}
	if s.facts.Source == n {
		return s
	}
	return nil
}

func (t *table) move(s *scan, p netip.Prefix) {
	delete(t.bySource, s.facts.Source)
	s.facts.Source = p
	t.bySource[p] = s
}

func (t *table) add(s *scan) {
	t.bySource[s.facts.Source] = s
	if n, ok := t.net(s.facts.Source); ok {
		t.byNet[n] = s
	}
	s.age = t.ages.PushBack(s)
	heap.Push(&t.queue, s)
}

func (t *table) remove(s *scan) {
	delete(t.bySource, s.facts.Source)
	if n, ok := t.net(s.facts.Source); ok && t.byNet[n] == s {
		delete(t.byNet, n)
	}
	t.ages.Remove(s.age)
	heap.Remove(&t.queue, s.heapIndex)
}

func (t *table) oldest() *scan { return t.ages.Front().Value.(*scan) }

// next returns the scan that is due first, or nil.
func (t *table) next() *scan {
	if len(t.queue) == 0 {
		return nil
	}
	return t.queue[0]
}

func (t *table) setDue(s *scan, due time.Time) {
	s.due = due
	heap.Fix(&t.queue, s.heapIndex)
}

// dueQueue is a heap.Interface of scans, earliest due first.
type dueQueue []*scan

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].heapIndex, q[j].heapIndex = i, j
}

func (q *dueQueue) Push(x any) {
	s := x.(*scan)
	s.heapIndex = len(*q)
	*q = append(*q, s)
}

func (q *dueQueue) Pop() any {
	old := *q
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return s
}
