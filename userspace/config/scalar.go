// SPDX-License-Identifier: MIT

package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"denmap/userspace/units"
)

// scalar is the codec of values that are one word in the file. Values are
// taken as they are written, quoted or not: a user name of 007 stays 007.
type scalar[T any] struct {
	kind   string // "duration": for the reference
	wanted string // completes "expected ..."
	tag    string // YAML tag when writing
	hidden bool   // the value is a secret and is not repeated in messages
	parse  func(string) (T, bool)
	format func(T) string
}

func (s scalar[T]) typ() string      { return s.kind }
func (s scalar[T]) want() string     { return s.wanted }
func (s scalar[T]) label(v T) string { return s.format(v) }

func (s scalar[T]) decode(n *yaml.Node) (T, []fault) {
	var zero T
	text, ok := word(n)
	if !ok {
		return zero, []fault{{node: n, value: found(n), text: "expected " + s.wanted}}
	}
	v, ok := s.parse(text)
	if !ok {
		f := fault{node: n, value: quote(text), text: "expected " + s.wanted}
		if s.hidden {
			f.value = ""
		}
		return zero, []fault{f}
	}
	return v, nil
}

func (s scalar[T]) encode(v T) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: s.tag, Value: s.format(v)}
}

const (
	strTag  = "!!str"
	intTag  = "!!int"
	boolTag = "!!bool"
	nullTag = "!!null"
)

// word returns the text of a plain scalar; not that of nothing ("key:"),
// nor of one with a tag, which asks for another meaning than its text has.
func word(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Tag == nullTag || n.Style&yaml.TaggedStyle != 0 {
		return "", false
	}
	return n.Value, true
}

// found describes a node that is not what was expected.
func found(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == nullTag:
		return "no value"
	case n.Style&yaml.TaggedStyle != 0:
		return "a value with a tag"
	}
	return quote(n.Value)
}

// quote makes one short line of any value.
func quote(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "..."
	}
	return strconv.Quote(s)
}

// parseWhole reads a whole number in the one way of writing it that every
// reader takes for the same number: 010 is eight to some of them.
func parseWhole(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && strconv.Itoa(n) == s
}

// whole is a number from lowest to highest, or one of the others.
func whole(lowest, highest int, others ...int) scalar[int] {
	wanted := "a whole number from " + strconv.Itoa(lowest) + " to " + strconv.Itoa(highest)
	for _, n := range others {
		wanted += ", or " + strconv.Itoa(n)
	}
	return scalar[int]{
		kind: "whole number", wanted: wanted, tag: intTag, format: strconv.Itoa,
		parse: func(s string) (int, bool) {
			n, ok := parseWhole(s)
			return n, ok && (lowest <= n && n <= highest || slices.Contains(others, n))
		},
	}
}

func boolean() scalar[bool] {
	return scalar[bool]{
		kind: "boolean", wanted: "true or false", tag: boolTag, format: strconv.FormatBool,
		parse: func(s string) (bool, bool) { return s == "true", s == "true" || s == "false" },
	}
}

func duration(lowest, highest time.Duration) scalar[time.Duration] {
	return scalar[time.Duration]{
		kind: "duration", tag: strTag,
		wanted: "a duration from " + units.FormatDuration(lowest) + " to " + units.FormatDuration(highest) +
			" in s, m, h, d or w, such as 90s or 8h",
		format: func(d time.Duration) string {
			if d%time.Second != 0 {
				// No file can say this; written so, it is refused
				// instead of rounded.
				return d.String()
			}
			return units.FormatDuration(d)
		},
		parse: func(s string) (time.Duration, bool) {
			d, err := units.ParseDuration(s)
			return d, err == nil && lowest <= d && d <= highest
		},
	}
}

// orNever is s with 0s for something that is not to happen.
func orNever(s scalar[time.Duration]) scalar[time.Duration] {
	parse := s.parse
	s.wanted += ", or 0s for never"
	s.parse = func(v string) (time.Duration, bool) {
		if v == "0s" {
			return 0, true
		}
		return parse(v)
	}
	return s
}

func size(lowest, highest int64) scalar[int64] {
	return scalar[int64]{
		kind: "size", tag: strTag, format: units.FormatSize,
		wanted: "a size from " + units.FormatSize(lowest) + " to " + units.FormatSize(highest) + ", such as 50MB",
		parse: func(s string) (int64, bool) {
			n, err := units.ParseSize(s)
			return n, err == nil && lowest <= n && n <= highest
		},
	}
}

// choice is one of a few names.
func choice[T ~string](names ...T) scalar[T] {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = string(name)
	}
	last := len(words) - 1
	return scalar[T]{
		kind: "name", tag: strTag, format: func(v T) string { return string(v) },
		wanted: strings.Join(words[:last], ", ") + " or " + words[last],
		parse:  func(s string) (T, bool) { return T(s), slices.Contains(names, T(s)) },
	}
}

func ports() scalar[PortRange] {
	return scalar[PortRange]{
		kind: "port", tag: strTag, format: PortRange.String, parse: parsePorts,
		wanted: "a port from 1 to 65535 or a range such as 6000-6100",
	}
}

// text is a string that ok accepts. No text holds control characters: they
// have no place in any value, and would end up in mail headers and logs.
func text(kind, wanted string, ok func(string) bool) scalar[string] {
	return scalar[string]{
		kind: kind, wanted: wanted, tag: strTag, format: func(s string) string { return s },
		parse: func(s string) (string, bool) { return s, printable(s) && ok(s) },
	}
}

// optional is s, or "" to turn off what it describes.
func optional(s scalar[string]) scalar[string] {
	parse := s.parse
	s.wanted += ", or \"\" for none"
	s.parse = func(v string) (string, bool) {
		if v == "" {
			return "", true
		}
		return parse(v)
	}
	return s
}

// secret is s with values that no message repeats.
func secret(s scalar[string]) scalar[string] {
	s.hidden = true
	return s
}
