// SPDX-License-Identifier: MIT

package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is the content of one configuration file; its name appears in the
// problems found in it.
type Source struct {
	Name string
	Data []byte
}

// Parse merges the sources over the defaults, key by key: what a later one
// sets replaces the value of an earlier one, lists as a whole. If any of
// them has a problem, nothing is returned but an *Error with all problems.
//
// To see whether a changed file would be accepted before it is written,
// call Parse with the result of Read in which the file is replaced.
func Parse(sources []Source) (Config, error) {
	c, err := parse(sources)
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// Salvage is Parse for who must go on with a configuration that has
// problems: it returns every value that is good by itself, over the
// defaults, and the *Error of Parse, nil without problems.
func Salvage(sources []Source) (Config, error) { return parse(sources) }

func parse(sources []Source) (Config, error) {
	c := Default()
	p := parser{config: &c, keys: map[string]rule{}, sections: map[string][]string{}, origins: map[string]origin{}}
	for _, k := range table() {
		p.keys[k.path] = k.rule
		p.paths = append(p.paths, k.path)
		section, _, _ := cutLast(k.path)
		p.sections[section] = append(p.sections[section], k.path)
	}
	for i, s := range sources {
		p.source, p.name = i, s.Name
		p.document(s.Data)
	}
	p.relations()
	return c, p.result()
}

// parser walks the documents and collects problems.
type parser struct {
	config   *Config
	keys     map[string]rule
	paths    []string            // of all keys
	sections map[string][]string // the paths below each section; "" is the top
	origins  map[string]origin   // the keys that a file sets
	source   int
	name     string
	problems []located
}

// origin is where a key was last set.
type origin struct {
	source int
	name   string
	line   int
	value  string
	bad    bool
}

// located is a Problem with the place of its file in the order of files.
type located struct {
	Problem
	source int
}

func (p *parser) add(line int, path, value, text string) {
	p.problems = append(p.problems, located{Problem{p.name, line, path, value, text}, p.source})
}

// result sorts the problems and makes them an error.
func (p *parser) result() error {
	if len(p.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(p.problems, func(a, b located) int {
		if a.source != b.source {
			return a.source - b.source
		}
		return a.Line - b.Line
	})
	e := &Error{}
	for _, q := range p.problems {
		if len(e.Problems) == maxProblems {
			e.Omitted++
			continue
		}
		e.Problems = append(e.Problems, q.Problem)
	}
	return e
}

// byteOrderMark is what some editors begin UTF-8 files with.
const byteOrderMark = "\uFEFF"

func (p *parser) document(data []byte) {
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	// YAML allows UTF-16 too, but lines could not be counted in it.
	if bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xff\xfe")) {
		p.add(1, "", "", "invalid YAML: expected UTF-8, not UTF-16")
		return
	}
	doc, next, err := decode(data)
	switch {
	case err != nil:
		line, text := locate(data, err)
		p.add(line, "", "", "invalid YAML: "+text)
		return
	case doc == nil: // nothing but comments
		return
	}
	if top := resolve(doc.Content[0]); top.Kind == yaml.MappingNode {
		p.mapping("", top)
	} else if top.Tag != nullTag {
		p.add(top.Line, "", found(top), `expected keys such as "mode: monitor"`)
	}
	if next != nil {
		p.add(next.Line, "", "", "expected one YAML document, found another")
	}
}

// mapping reads the top of a document, or a section of it.
func (p *parser) mapping(section string, n *yaml.Node) {
	lines := map[string]int{}
	for k, v := range pairs(n) {
		if k.Kind != yaml.ScalarNode {
			p.add(k.Line, section, found(k), "expected the name of a key")
			continue
		}
		path := k.Value
		if section != "" {
			path = section + "." + path
		}
		if line, twice := lines[path]; twice {
			p.add(k.Line, shorten(path), "", repeated(line))
			continue
		}
		lines[path] = k.Line
		r, isKey := p.keys[path]
		_, isSection := p.sections[path]
		switch {
		case strings.Contains(k.Value, ".") || k.Value == "":
			// "detect.decay: 1h" has the path of a key, but is none.
			p.unknown(section, k)
		case isKey:
			p.value(path, r, k, v)
		case isSection && section == "":
			p.section(path, v)
		default:
			p.unknown(section, k)
		}
	}
}

func (p *parser) section(path string, v *yaml.Node) {
	switch {
	case v.Kind == yaml.MappingNode:
		p.mapping(path, v)
	case v.Tag == nullTag: // all of its keys are commented out
	default:
		p.add(v.Line, path, found(v), "expected a section with keys such as "+p.sections[path][0])
	}
}

func (p *parser) value(path string, r rule, k, v *yaml.Node) {
	faults := r.read(p.config, v)
	for _, f := range faults {
		p.add(f.node.Line, path+f.at, f.value, f.text)
	}
	value := found(v)
	if v.Kind == yaml.SequenceNode || v.Kind == yaml.MappingNode {
		value = ""
	}
	p.origins[path] = origin{source: p.source, name: p.name, line: k.Line, value: value, bad: len(faults) > 0}
}

func (p *parser) unknown(section string, k *yaml.Node) {
	// A neighbour in the same section is likelier meant than a better
	// match elsewhere.
	candidates := p.sections[section]
	path := k.Value
	if section == "" {
		candidates = slices.Clone(candidates)
		for name := range p.sections {
			if name != "" {
				candidates = append(candidates, name)
			}
		}
		slices.Sort(candidates)
	} else {
		path = section + "." + path
	}
	if nearest(k.Value, candidates) == "" {
		candidates = p.paths
	}
	p.add(k.Line, shorten(path), "", unknown(k.Value, candidates))
}

// relations checks what concerns two keys, unless one of them is wrong on
// its own.
func (p *parser) relations() {
	set := func(path string) bool { _, ok := p.origins[path]; return ok }
	for _, r := range relations() {
		if p.origins[r.key].bad || p.origins[r.other].bad {
			continue
		}
		if path, want := r.check(p.config, set); path != "" {
			o := p.origins[path]
			p.source, p.name = o.source, o.name
			p.add(o.line, path, o.value, "expected "+want)
		}
	}
}

// cutLast splits "detect.decay" into its section and name.
func cutLast(path string) (section, name string, nested bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// shorten makes a key from a file fit for a line: a key that is not one of
// ours can be anything.
func shorten(path string) string {
	if q := quote(path); q != `"`+path+`"` || strings.ContainsAny(path, " :") {
		return q
	}
	return path
}

// inline writes a node as it would stand behind a key.
func inline(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, item := range n.Content {
			parts[i] = inline(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		var parts []string
		for k, v := range pairs(n) {
			parts = append(parts, k.Value+": "+inline(v))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if n.Value == "" {
		return fmt.Sprintf("%q", n.Value)
	}
	return n.Value
}
