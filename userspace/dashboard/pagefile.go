// SPDX-License-Identifier: MIT

package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"denmap/userspace/config"
	"denmap/userspace/store/safefile"
)

// passwordKey is the one path in the page's file. Its value is fixed too:
// PasswordFile in state_dir.
const passwordKey = "mail.password_file"

// pageKeys are the keys that the page writes: no path, no listener, no
// command, nothing that could turn the page into more than it is.
func pageKeys() []string {
	return []string{
		"mode",
		"detect.alert_score", "detect.ban_score", "detect.udp_alert_score", "detect.udp_ban_score", "detect.decay",
		"ban.duration", "ban.multiplier", "ban.max_duration",
		"mail.host", "mail.port", "mail.tls", "mail.username", "mail.from", "mail.to", "mail.digest", "mail.max_per_day",
	}
}

const (
	// PageFile is what the page writes, in conf.d beside the main file.
	PageFile = "50-page.yaml"
	// PasswordFile in state_dir is where a password set on the page goes.
	PasswordFile = "mail-password"

	pageHead = "# Written by DenMap's page. It is read after denmap.yaml and replaces single\n" +
		"# keys of it; removing this file takes back everything that was set there.\n"

	lockWait = 5 * time.Second
)

// values are settings by key: a string, or a list of strings.
type values map[string]any

// files is the configuration as it stands on the disk.
type files struct {
	path    string // of the page's file
	sources []config.Source
	at      int    // where the page's file is, or would be, among the sources
	exists  bool   // it is among them
	page    values // what it sets
}

// readFiles reads everything that the daemon would read.
func (s *Server) readFiles() (*files, error) {
	f := &files{path: filepath.Join(filepath.Dir(s.opts.ConfigFile), "conf.d", PageFile)}
	var err error
	if f.sources, err = config.Read(s.opts.ConfigFile, s.opts.ConfigNamed); err != nil {
		return nil, err
	}
	f.at = len(f.sources)
	for i, src := range f.sources {
		inDir := filepath.Dir(src.Name) == filepath.Dir(f.path)
		if src.Name == f.path {
			f.at, f.exists = i, true
			break
		}
		if inDir && filepath.Base(src.Name) > PageFile {
			f.at = i
			break
		}
	}
	f.page = values{}
	if f.exists {
		if f.page, err = leaves(f.sources[f.at].Data); err != nil {
			return nil, fmt.Errorf("read %q: %w", f.path, err)
		}
		for key := range f.page {
			if key != passwordKey && !slices.Contains(pageKeys(), key) {
				return nil, fmt.Errorf("%q sets %q, which the page does not write: move that to another file first", f.path, key)
			}
		}
	}
	return f, nil
}

// with returns the sources with other content for the page's file, or
// without the file if data is nil.
func (f *files) with(data []byte) []config.Source {
	out := slices.Clone(f.sources)
	if f.exists {
		out = slices.Delete(out, f.at, f.at+1)
	}
	if data != nil {
		out = slices.Insert(out, f.at, config.Source{Name: f.path, Data: data})
	}
	return out
}

// origin returns the last file that sets a key, "" if none does, and
// whether it is read after the page's.
func (f *files) origin(key string) (name string, later bool) {
	for i, src := range f.sources {
		set, err := leaves(src.Data)
		if err != nil {
			continue // config.Parse says what is wrong
		}
		if _, ok := set[key]; ok {
			name, later = src.Name, i > f.at || i == f.at && !f.exists
		}
	}
	return name, later
}

// encode writes values as a file.
func encode(v values) ([]byte, error) {
	top := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{"": top}
	for _, key := range append(pageKeys(), passwordKey) {
		value, ok := v[key]
		if !ok {
			continue
		}
		section, name, nested := strings.Cut(key, ".")
		if !nested {
			section, name = "", key
		}
		into := sections[section]
		if into == nil {
			into = &yaml.Node{Kind: yaml.MappingNode}
			sections[section] = into
			top.Content = append(top.Content, word(section), into)
		}
		into.Content = append(into.Content, word(name), nodeOf(value))
	}
	var b bytes.Buffer
	b.WriteString(pageHead)
	if len(top.Content) == 0 {
		return b.Bytes(), nil
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(top); err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return b.Bytes(), nil
}

func word(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func nodeOf(value any) *yaml.Node {
	switch v := value.(type) {
	case []string:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			n.Content = append(n.Content, word(item))
		}
		return n
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: v.String()}
	}
	return word(fmt.Sprint(value))
}

// leaves returns what a file sets, by key.
func leaves(data []byte) (values, error) {
	var top map[string]any
	if err := yaml.Unmarshal(data, &top); err != nil {
		return nil, err
	}
	out := values{}
	for name, value := range top {
		if section, ok := value.(map[string]any); ok {
			for inner, v := range section {
				out[name+"."+inner] = plain(v)
			}
			continue
		}
		out[name] = plain(value)
	}
	return out, nil
}

// plain makes a decoded value a string or a list of strings.
func plain(v any) any {
	items, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = fmt.Sprint(item)
	}
	return out
}

// valuesOf returns the page's settings as a configuration has them, in the
// words of a file. Numbers stay numbers.
func valuesOf(c config.Config) (values, error) {
	data, err := c.MarshalJSON()
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var top map[string]any
	if err := d.Decode(&top); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	out := values{}
	for _, key := range append(pageKeys(), passwordKey) {
		section, name, nested := strings.Cut(key, ".")
		value := top[section]
		if inner, ok := value.(map[string]any); ok && nested {
			value = inner[name]
		}
		if items, ok := value.([]any); ok {
			value = plain(items)
		}
		out[key] = value
	}
	return out, nil
}

// replace writes a file of ours whole or not at all.
func replace(ctx context.Context, path string, data []byte, mode, dirMode fs.FileMode) (err error) {
	f, err := safefile.Lock(ctx, path, lockWait, dirMode)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	return f.Replace(data, mode)
}
