// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"denmap/userspace/notify"
)

// reloadLimit is how long a save waits for the daemon to take it over.
const reloadLimit = 15 * time.Second

// checkSettings says what saving would meet.
func (s *Server) checkSettings(_ http.ResponseWriter, r *http.Request) (any, error) {
	var req settingsRequest
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	s.settings.Lock()
	defer s.settings.Unlock()
	p, err := s.planSettings(req)
	if err != nil {
		return nil, err
	}
	answer := refusal{Problems: []problem{}, Risks: s.risks(r.Context(), p.before, p.after)}
	if len(answer.Risks) > 0 {
		answer.Confirm = p.fingerprint()
	}
	return answer, nil
}

// fingerprint names exactly this change, so that what is confirmed is what
// was asked about.
func (p *plan) fingerprint() string {
	sum := hashed(fmt.Sprintf("%+v\n%+v", p.before, p.after))
	return hex.EncodeToString(sum[:16])
}

// saveSettings writes the page's file and the password, and has the daemon
// take them over.
func (s *Server) saveSettings(_ http.ResponseWriter, r *http.Request) (any, error) {
	var req settingsRequest
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	if err := s.checkWaiting("config"); err != nil {
		return nil, err
	}
	s.settings.Lock()
	defer s.settings.Unlock()
	p, err := s.planSettings(req)
	if err != nil {
		return nil, err
	}
	if risks := s.risks(r.Context(), p.before, p.after); len(risks) > 0 && req.Confirm != p.fingerprint() {
		return nil, &apiError{
			Status: http.StatusConflict, Message: "please confirm: this changes who is banned",
			Details: refusal{Problems: []problem{}, Risks: risks, Confirm: p.fingerprint()},
		}
	}
	// A browser that goes away leaves no half of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reloadLimit)
	defer cancel()
	if err := s.write(ctx, p); err != nil {
		return nil, err
	}
	s.hub.nudge()
	if err := s.opts.Reload(ctx); err != nil {
		return done{Message: "saved, but not in force", Warnings: []string{err.Error()}}, nil
	}
	return done{Message: "saved, and in force"}, nil
}

// write puts the plan on the disk: the password first, because the
// configuration names its file.
func (s *Server) write(ctx context.Context, p *plan) error {
	path := filepath.Join(p.before.StateDir, PasswordFile)
	if p.password != nil && *p.password != "" {
		// The file keeps its mode, and somebody may have opened it to others.
		if err := os.Chmod(path, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("save password: %w", err)
		}
		if err := replace(ctx, path, []byte(*p.password+"\n"), 0o600, 0o750); err != nil {
			return fmt.Errorf("save password: %w", err)
		}
	}
	if err := replace(ctx, p.files.path, p.data, 0o640, 0o755); err != nil {
		return fmt.Errorf("save settings: %w", err)
	}
	if p.password != nil && *p.password == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove password: %w", err)
		}
	}
	return nil
}

type mailAnswer struct {
	Message string       `json:"message"`
	Results []mailResult `json:"results"`
}

type mailResult struct {
	Target  string           `json:"target"`
	OK      bool             `json:"ok"`
	Error   string           `json:"error,omitempty"`
	Explain string           `json:"explain,omitempty"`
	Refused []notify.Refusal `json:"refused,omitempty"`
}

// mailLimit is how long a test message may take, all destinations together.
const mailLimit = 2 * time.Minute

// testMail is "denmap mail test", with the settings in force.
func (s *Server) testMail(w http.ResponseWriter, r *http.Request) (any, error) {
	var req struct{}
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	c := s.opts.Config()
	if s.opts.TestMail == nil || !c.Mail.Enabled() && len(c.Notify.URLs) == 0 {
		return nil, &apiError{Status: http.StatusConflict, Message: "no mail server is set; save one first", Field: "mail.host"}
	}
	control := http.NewResponseController(w)
	end := time.Now().Add(mailLimit + writeLimit)
	if err := errors.Join(control.SetReadDeadline(end), control.SetWriteDeadline(end)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), mailLimit)
	defer cancel()
	results, err := s.opts.TestMail(ctx, c)
	if err != nil {
		return nil, &apiError{Status: http.StatusConflict, Message: err.Error()}
	}
	answer := mailAnswer{Results: []mailResult{}, Message: "the test message was accepted"}
	failed := 0
	for _, t := range results {
		one := mailResult{Target: t.Target, OK: t.Err == nil, Explain: t.Explanation, Refused: t.Refused}
		if t.Err != nil {
			one.Error = t.Err.Error()
			failed++
		}
		answer.Results = append(answer.Results, one)
	}
	if failed > 0 {
		answer.Message = fmt.Sprintf("%d of %s did not take the test message", failed, plural(len(results), "destination", "destinations"))
	}
	return answer, nil
}
