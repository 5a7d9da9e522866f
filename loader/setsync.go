// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"

	"denmap/bpf"
)

// setSync is one change of a list's IPv4 sets.
type setSync struct {
	*setTables
	old   [][]uint32 // roots before, by place in sets
	now   [][]uint32
	turns [][]turn // in order: what is to come, then each set
}

// turn is a root that is to lead elsewhere, and the marks of that.
type turn struct {
	set, root int
	value     uint32
	marks     marks
}

// syncSets makes the sets hold what the strokes paint, and returns how many
// roots had to change.
func (s *State) syncSets(list ListName, strokes []stroke) (changed int, err error) {
	t, err := s.openSets(list)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	c := &setSync{setTables: t, turns: make([][]turn, 1+len(t.sets))}
	used := make([]bool, len(t.sets))
	for _, stroke := range strokes {
		used[stroke.set] = true
	}
	for i := range t.sets {
		roots, err := t.readRoots(i)
		if err != nil {
			return 0, err
		}
		if _, _, err := t.mark(roots); err != nil {
			return 0, err
		}
		c.old = append(c.old, roots)
		c.now = append(c.now, append([]uint32{}, roots...))
		if used[i] && t.roots[i].m == nil {
			if err := c.addRoots(s, i); err != nil {
				return 0, err
			}
		}
	}
	if err := t.settle(); err != nil {
		return 0, err
	}
	if err := c.plan(arrange(strokes)); err != nil {
		return 0, err
	}
	if err := s.openGate(list, used, false); err != nil {
		return 0, err
	}
	if changed, err = c.apply(); err != nil {
		return changed, err
	}
	err = c.tidy(s, list, used)
	for set := range t.sets {
		err = errors.Join(err, c.markSet(s, set))
	}
	return changed, err
}

// markSet gives marks to a set that became big, and takes them from one
// that is much smaller again.
func (c *setSync) markSet(s *State, set int) error {
	blocks := 0
	for _, root := range c.now[set] {
		if root >= firstRoot {
			blocks++
		}
	}
	switch marked := c.marks.isMarked(set); {
	case marked && blocks < markedFrom/2:
		return c.marks.drop(set)
	case !marked && blocks >= markedFrom:
		all, err := c.marksOf(c.now[set])
		if err != nil {
			return err
		}
		return c.marks.add(s, set, all)
	}
	return nil
}

// addRoots gives a set that was empty its roots.
func (c *setSync) addRoots(s *State, set int) error {
	p, err := newPiece(s.spec["list_roots"])
	if err != nil {
		return err
	}
	c.roots[set] = p
	if err := c.shelf.put(uint32(c.sets[set]), p.m); err != nil {
		return fmt.Errorf("add roots: %w", err)
	}
	return nil
}

// plan stores what differs, and notes the turns.
func (c *setSync) plan(p painting) error {
	bases := p.bases()
	areas := make([]area, len(c.sets))
	for root := range roots {
		strokes := p.narrow[p.start[root]:p.start[root+1]]
		if len(strokes) == 0 && bases[root] == 0 && c.isEmpty(root) {
			continue
		}
		paint(areas, bases[root], strokes)
		var differ []int
		for set := range areas {
			same, err := c.same(c.old[set][root], &areas[set])
			if err != nil {
				return err
			}
			if !same {
				differ = append(differ, set)
			}
		}
		// An address that moves from one set to another is in the last one
		// while the first changes: never in none.
		if len(differ) == 2 {
			if err := c.planBoth(root, &areas[1]); err != nil {
				return err
			}
		}
		for _, set := range differ {
			value, err := c.store(&areas[set])
			if err != nil {
				return err
			}
			c.now[set][root] = value
			c.turns[1+set] = append(c.turns[1+set], turn{set, root, value, areas[set].marks()})
		}
	}
	return nil
}

func (c *setSync) isEmpty(root int) bool {
	for _, old := range c.old {
		if old[root] != 0 {
			return false
		}
	}
	return true
}

func (c *setSync) planBoth(root int, wanted *area) error {
	var both area
	if err := c.load(c.old[1][root], &both); err != nil {
		return err
	}
	both.add(wanted)
	value, err := c.store(&both)
	if err != nil {
		return err
	}
	c.turns[0] = append(c.turns[0], turn{1, root, value, both.marks()})
	return nil
}

func (c *setSync) apply() (changed int, err error) {
	for i, turns := range c.turns {
		for _, t := range turns {
			if err := c.turn(t); err != nil {
				return changed, err
			}
			if i > 0 {
				changed++
			}
		}
	}
	return changed, nil
}

// tidy closes the gate of sets that are empty now, and gives back what
// nothing leads to any more.
func (c *setSync) tidy(s *State, list ListName, used []bool) error {
	if err := s.openGate(list, used, true); err != nil {
		return err
	}
	var blocks, leaves int
	for set, p := range c.roots {
		if !used[set] && p.m != nil {
			if err := c.shelf.drop(uint32(c.sets[set])); err != nil {
				return fmt.Errorf("drop roots: %w", err)
			}
		}
		b, l, err := c.mark(c.now[set])
		if err != nil {
			return err
		}
		blocks, leaves = max(blocks, b), max(leaves, l)
	}
	return errors.Join(c.blocks.trim(blocks), c.leaves.trim(leaves))
}

// openGate opens the gate of the used sets, and closes that of the others
// if told to.
func (s *State) openGate(list ListName, used []bool, others bool) error {
	return s.setGate(func(g *bpf.ScanGate) {
		for i, set := range list.sets() {
			if used[i] {
				g.Sets |= 1 << set
			} else if others {
				g.Sets &^= 1 << set
			}
		}
	})
}
