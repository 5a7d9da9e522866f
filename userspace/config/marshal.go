// SPDX-License-Identifier: MIT

package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Marshal writes the configuration as YAML, every key, in the order of the
// reference and with values as people write them. What it returns loads
// back to the same Config; a Config that Load would refuse is an error that
// says so: an *Error whose file is named "configuration", or where a text is
// not UTF-8 another error.
func Marshal(c Config) ([]byte, error) {
	data, err := encode(c)
	if err != nil {
		return nil, err
	}
	if _, err := Parse([]Source{{"configuration", data}}); err != nil {
		return nil, err
	}
	return data, nil
}

func encode(c Config) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(tree(c)); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return b.Bytes(), nil
}

// MarshalJSON writes the same keys and values as Marshal. JSON is YAML, so
// this form loads back too.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, tree(c)); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return b.Bytes(), nil
}

// tree is the configuration as a mapping of sections.
func tree(c Config) *yaml.Node {
	top := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{"": top}
	for _, k := range table() {
		section, name, _ := cutLast(k.path)
		n, ok := sections[section]
		if !ok {
			n = &yaml.Node{Kind: yaml.MappingNode}
			sections[section] = n
			addPair(top, section, n)
		}
		addPair(n, name, k.rule.write(&c))
	}
	return top
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, n.Content[i]); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, item); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	if n.Tag != strTag {
		b.WriteString(n.Value)
		return nil
	}
	text, err := json.Marshal(n.Value)
	if err != nil {
		return err
	}
	b.Write(text)
	return nil
}

// Redacted returns a copy without the secrets that the file may hold, the
// tokens in notify.urls, for showing it to people. The copy is still a
// valid configuration.
func (c Config) Redacted() Config {
	urls := c.Notify.URLs
	c.Notify.URLs = nil
	for i, u := range urls {
		scheme, _, _ := strings.Cut(u, "://")
		c.Notify.URLs = append(c.Notify.URLs, fmt.Sprintf("%s://hidden-%d", scheme, i+1))
	}
	return c
}
