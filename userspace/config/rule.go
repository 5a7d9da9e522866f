// SPDX-License-Identifier: MIT

package config

import (
	"fmt"
	"iter"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// rule is what a key may hold and where in the Config that goes. read
// leaves the Config alone when it returns faults.
type rule interface {
	typ() string
	want() string
	read(*Config, *yaml.Node) []fault
	write(*Config) *yaml.Node
}

// codec turns one value into a node and back.
type codec[T any] interface {
	typ() string
	want() string
	decode(*yaml.Node) (T, []fault)
	encode(T) *yaml.Node
	label(T) string // equal labels are the same value
}

// fault is a Problem before its file and key are known.
type fault struct {
	node  *yaml.Node
	at    string // what to add to the key: "[2]", ".xdp"
	value string
	text  string
}

// one is a key with a single value.
type one[T any] struct {
	codec[T]
	field func(*Config) *T
}

func (r one[T]) read(c *Config, n *yaml.Node) []fault {
	v, faults := r.decode(resolve(n))
	if len(faults) == 0 {
		*r.field(c) = v
	}
	return faults
}

func (r one[T]) write(c *Config) *yaml.Node { return r.encode(*r.field(c)) }

// many is a key with a list of values, none of them twice. An empty list
// is nil in the Config.
type many[T any] struct {
	item  codec[T]
	limit int
	field func(*Config) *[]T
}

func (r many[T]) typ() string { return "list of " + r.item.typ() }

func (r many[T]) want() string {
	return "a list of up to " + strconv.Itoa(r.limit) + " items, each " + r.item.want()
}

func (r many[T]) read(c *Config, n *yaml.Node) []fault {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode || len(n.Content) > r.limit {
		return []fault{{node: n, value: found(n), text: "expected " + r.want()}}
	}
	var list []T
	var faults []fault
	seen := map[string]int{}
	for i, item := range n.Content {
		item = resolve(item)
		at := fmt.Sprintf("[%d]", i)
		v, bad := r.item.decode(item)
		for _, f := range bad {
			f.at = at + f.at
			faults = append(faults, f)
		}
		if len(bad) > 0 {
			continue
		}
		label := r.item.label(v)
		if line, twice := seen[label]; twice {
			faults = append(faults, fault{node: item, at: at, text: repeated(line)})
			continue
		}
		seen[label] = item.Line
		list = append(list, v)
	}
	if len(faults) == 0 {
		*r.field(c) = list
	}
	return faults
}

func (r many[T]) write(c *Config) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range *r.field(c) {
		n.Content = append(n.Content, r.item.encode(v))
	}
	return n
}

// resolve follows an alias. The rules descend a fixed number of steps, each
// at most once per key, so aliases cannot make a small file large.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs yields the keys and values of a mapping, aliases followed.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(k, v *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(resolve(n.Content[i]), resolve(n.Content[i+1])) {
				return
			}
		}
	}
}

func addPair(n *yaml.Node, name string, value *yaml.Node) {
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: name}
	n.Content = append(n.Content, key, value)
}

func repeated(line int) string { return "already set on line " + strconv.Itoa(line) }
