// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"denmap/userspace/config"
)

type settingsAnswer struct {
	File     string    `json:"file"` // the page's
	Settings []setting `json:"settings"`
	Password password  `json:"password"`
	Problems []problem `json:"problems"` // of the files as they are
}

// setting is one key that the page can write.
type setting struct {
	Key         string `json:"key"`
	Value       any    `json:"value"`              // as the files say it
	InForce     any    `json:"in_force,omitempty"` // where that is something else
	Default     string `json:"default"`
	Range       string `json:"range"`
	Description string `json:"description"`
	From        string `json:"from"`             // "default", "page" or a file
	Locked      string `json:"locked,omitempty"` // why the page cannot change it
}

// password tells whether there is one, never what it is.
type password struct {
	Set  bool   `json:"set"`
	File string `json:"file"`
}

type problem struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

func (s *Server) showSettings(http.ResponseWriter, *http.Request) (any, error) {
	f, err := s.readFiles()
	if err != nil {
		return nil, err
	}
	running := s.opts.Config()
	answer := settingsAnswer{File: f.path, Settings: []setting{}, Problems: []problem{}}
	c, err := config.Parse(f.sources)
	if err != nil {
		if answer.Problems = problems(err); len(answer.Problems) == 0 {
			return nil, err
		}
		c = running // what can be shown
	}
	have, err := valuesOf(c)
	if err != nil {
		return nil, err
	}
	inForce, err := valuesOf(running)
	if err != nil {
		return nil, err
	}
	for _, k := range config.Reference() {
		if !slices.Contains(pageKeys(), k.Path) {
			continue
		}
		one := setting{Key: k.Path, Value: have[k.Path], Default: k.Default, Range: k.Range, Description: k.Description, From: "default"}
		if name, later := f.origin(k.Path); name != "" {
			one.From = name
			if name == f.path {
				one.From = "page"
			}
			if later {
				one.Locked = fmt.Sprintf("set in %s, which is read after the page's file", name)
			}
		}
		if !reflect.DeepEqual(inForce[k.Path], one.Value) {
			one.InForce = inForce[k.Path]
		}
		answer.Settings = append(answer.Settings, one)
	}
	answer.Password.File = c.Mail.PasswordFile
	if info, err := os.Stat(c.Mail.PasswordFile); err == nil && info.Size() > 0 {
		answer.Password.Set = true
	}
	return answer, nil
}

// problems returns what package config says, by key.
func problems(err error) []problem {
	out := []problem{}
	var refused *config.Error
	if !errors.As(err, &refused) {
		return out
	}
	for _, p := range refused.Problems {
		text := p.Text
		if p.Value != "" {
			text = p.Value + ": " + text
		}
		if filepath.Base(p.File) != PageFile {
			text = fmt.Sprintf("%s (%s:%d)", text, p.File, p.Line)
		}
		out = append(out, problem{Key: p.Path, Text: text})
	}
	return out
}

type settingsRequest struct {
	// Changes are the new values by key, a string or a list of strings;
	// null takes the key out of the page's file.
	Changes map[string]any `json:"changes"`
	// Password is the new one, "" removes it, null or missing keeps it.
	Password *string `json:"password"`
	// Confirm is what an earlier answer gave, to go ahead with its risks.
	Confirm string `json:"confirm"`
}

// refusal is the Details of an error about settings.
type refusal struct {
	Problems []problem `json:"problems"`
	Risks    []risk    `json:"risks"`
	Confirm  string    `json:"confirm,omitempty"`
}

// plan is a change of the settings that package config accepts.
type plan struct {
	files    *files
	data     []byte // of the page's file
	before   config.Config
	after    config.Config
	password *string
}

// planSettings works out what a request would do, and changes nothing.
func (s *Server) planSettings(req settingsRequest) (*plan, error) {
	f, err := s.readFiles()
	if err != nil {
		return nil, err
	}
	p := &plan{files: f, password: req.Password}
	if p.before, err = config.Parse(f.sources); err != nil {
		return nil, refuse("the configuration has problems already; correct the files first", err)
	}
	want, err := s.wanted(f, req, filepath.Join(p.before.StateDir, PasswordFile))
	if err != nil {
		return nil, err
	}
	if p.data, err = encode(want); err != nil {
		return nil, err
	}
	if p.after, err = config.Parse(f.with(p.data)); err != nil {
		return nil, refuse("the settings are refused; nothing was changed", err)
	}
	if p.after.StateDir != p.before.StateDir {
		return nil, errors.New("the settings would move state_dir")
	}
	// Written as config writes them, and only what differs from the other
	// files, so that editing those goes on to have an effect.
	canon, err := valuesOf(p.after)
	if err != nil {
		return nil, err
	}
	if bare, err := config.Parse(f.with(nil)); err == nil {
		without, err := valuesOf(bare)
		if err != nil {
			return nil, err
		}
		for key := range want {
			if reflect.DeepEqual(canon[key], without[key]) {
				delete(want, key)
			} else {
				want[key] = canon[key]
			}
		}
	}
	if p.data, err = encode(want); err != nil {
		return nil, err
	}
	again, err := config.Parse(f.with(p.data))
	if err != nil || !reflect.DeepEqual(again, p.after) {
		return nil, errors.New("the settings cannot be written so that they are read back the same; please report this")
	}
	return p, nil
}

// wanted is the content of the page's file after the request.
func (s *Server) wanted(f *files, req settingsRequest, passwordFile string) (values, error) {
	want := values{}
	for key, value := range f.page {
		want[key] = value
	}
	for key, value := range req.Changes {
		if !slices.Contains(pageKeys(), key) {
			return nil, refuseKey(key, "the page does not write this key")
		}
		if name, later := f.origin(key); later {
			return nil, refuseKey(key, fmt.Sprintf("set in %s, which is read after the page's file", name))
		}
		switch v := value.(type) {
		case nil:
			delete(want, key)
		case string:
			want[key] = strings.TrimSpace(v)
		case []any:
			items := []string{}
			for _, item := range v {
				text, ok := item.(string)
				if !ok {
					return nil, refuseKey(key, "expected a list of texts")
				}
				items = append(items, strings.TrimSpace(text))
			}
			want[key] = items
		default:
			return nil, refuseKey(key, "expected a text or a list of texts")
		}
	}
	switch {
	case req.Password == nil:
	case *req.Password == "":
		delete(want, passwordKey)
	default:
		if err := checkPassword(*req.Password); err != nil {
			return nil, refuseKey("password", err.Error())
		}
		want[passwordKey] = passwordFile
	}
	return want, nil
}

// checkPassword wants one line, as notify.ReadSecret does.
func checkPassword(text string) error {
	if len(text) > 1024 {
		return errors.New("expected at most 1024 bytes")
	}
	if strings.ContainsAny(text, "\r\n\x00") {
		return errors.New("expected one line")
	}
	return nil
}

func refuse(message string, err error) error {
	found := problems(err)
	if len(found) == 0 {
		return err
	}
	return &apiError{Status: http.StatusUnprocessableEntity, Message: message, Details: refusal{Problems: found, Risks: []risk{}}}
}

func refuseKey(key, text string) error {
	return &apiError{
		Status: http.StatusUnprocessableEntity, Message: "the settings are refused; nothing was changed", Field: key,
		Details: refusal{Problems: []problem{{key, text}}, Risks: []risk{}},
	}
}
