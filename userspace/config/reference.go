// SPDX-License-Identifier: MIT

package config

import _ "embed" // for the example file

// Key describes one key for the documentation.
type Key struct {
	Path        string // "detect.ban_score"
	Type        string // "whole number", "list of address"
	Default     string // as a file would say it
	Range       string // what is accepted, in the words of the messages
	Description string
}

// Reference returns every key, in the order of the file.
func Reference() []Key {
	c := Default()
	var keys []Key
	for _, k := range table() {
		accepted := k.rule.want()
		for _, r := range relations() {
			switch k.path {
			case r.key:
				accepted += "; " + r.keyWant
			case r.other:
				accepted += "; " + r.otherWant
			}
		}
		keys = append(keys, Key{k.path, k.rule.typ(), inline(k.rule.write(&c)), accepted, k.doc})
	}
	return keys
}

//go:embed denmap.yaml
var example string

// Example returns a configuration file that sets nothing: every key stands
// in it, commented out, with its default and an explanation.
func Example() string { return example }
