// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// integration returns a file of docs/integrations, and where it is.
func integration(t *testing.T, name string) (path, content string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "docs", "integrations", name))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, string(data)
}

// background runs a tool on the host until the test ends, and shows what it
// said if the test failed.
func background(t *testing.T, h *Host, env []string, tool string, args ...string) {
	t.Helper()
	cmd := h.Command(t.Context(), mustTool(t, tool), args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	said := &bytes.Buffer{} // read once the command has ended
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", tool, err)
	}
	t.Cleanup(func() {
		// The test's context, which ends it, is done by now.
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", tool, said)
		}
	})
}

// waitBanned wants a source to be among the bans with this reason, or not
// to be when reason is empty.
func waitBanned(h *Host, source netip.Addr, reason string) {
	h.t.Helper()
	h.Eventually(15*time.Second, func() error {
		bans := h.MustDenmap("bans", "show", "--format", "csv").Stdout
		for line := range strings.Lines(bans) {
			if strings.HasPrefix(line, source.String()+",manual,") {
				if reason != "" && strings.HasSuffix(line, ","+reason+"\n") {
					return nil
				}
				return fmt.Errorf("%q", line)
			}
		}
		if reason == "" {
			return nil
		}
		return fmt.Errorf("no %v in %q", source, bans)
	})
}

// TestFail2ban has fail2ban watch sshd's log with its own filter, and DenMap
// drop whom it bans.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, action := integration(t, "fail2ban/denmap.conf")
	_, jail := integration(t, "fail2ban/jail.conf")
	s.victim.WriteFile("/etc/fail2ban/action.d/denmap.conf", action)
	s.victim.WriteFile("/etc/fail2ban/jail.d/denmap.conf", jail)
	fail2ban := func(args ...string) Result { return s.victim.Tool("fail2ban-client", args...) }
	if r := fail2ban("-t"); r.Code != 0 {
		t.Fatalf("the jail of the documentation: %v", r)
	}

	// The lab has no journal: the same jail with a file.
	s.victim.WriteFile("/etc/fail2ban/jail.d/zz-lab.conf",
		"[sshd]\nbackend = polling\nlogpath = /var/log/auth.log\naction = denmap[denmap="+denmapPath+"]\n")
	s.victim.WriteFile("/var/log/auth.log", "")
	if err := os.MkdirAll(s.victim.Path("/run/fail2ban"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.victim.Attach()
	background(t, s.victim, nil, "fail2ban-server", "-f", "--logtarget", "STDOUT", "start")
	s.victim.Eventually(20*time.Second, func() error {
		if r := fail2ban("status", "sshd"); r.Code != 0 {
			return fmt.Errorf("%v", r)
		}
		return nil
	})
	failures := ""
	for i := range 5 {
		failures += fmt.Sprintf("%s victim sshd[%d]: Failed password for root from %s port %d ssh2\n",
			time.Now().Format(time.Stamp), 100+i, s.attacker.IPv4, 40000+i)
	}
	s.victim.WriteFile("/var/log/auth.log", failures)
	waitBanned(s.victim, s.attacker.IPv4, "fail2ban sshd")
	if s.attacker.Reaches(s.victim.IPv4, 80, 300*time.Millisecond) {
		t.Error("whom fail2ban banned reaches the victim")
	}
	if r := fail2ban("set", "sshd", "unbanip", s.attacker.IPv4.String()); r.Code != 0 {
		t.Fatal(r)
	}
	waitBanned(s.victim, s.attacker.IPv4, "")
	if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
		t.Error("whom fail2ban unbanned does not reach the victim")
	}
}

// TestCrowdSec has CrowdSec's own bouncer fetch decisions from an API that
// serves what CrowdSec's does (GET /v1/decisions/stream), and hand them to
// the script.
func TestCrowdSec(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.victim.Attach()

	decision := func(value, scope string) string {
		return fmt.Sprintf(`{"duration":"3h59m58.5s","id":1,"origin":"cscli","scenario":"crowdsecurity/ssh-bf","scope":%q,"type":"ban","value":%q}`, scope, value)
	}
	address, network := decision(s.attacker.IPv4.String(), "Ip"), decision("198.18.7.0/24", "Range")
	answers := make(chan string, 2)
	answers <- fmt.Sprintf(`{"new":[%s,%s],"deleted":null}`, address, network)
	key := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/decisions/stream", func(w http.ResponseWriter, r *http.Request) {
		select {
		case key <- r.Header.Get("X-Api-Key"):
		default:
		}
		answer := `{"new":null,"deleted":null}`
		select {
		case answer = <-answers:
		default:
		}
		_, _ = fmt.Fprint(w, answer) // a bouncer that is gone asks again
	})
	serve(t, s.victim, "127.0.0.1:8080", mux)

	script, _ := integration(t, "crowdsec/denmap-bouncer")
	_, yaml := integration(t, "crowdsec/crowdsec-custom-bouncer.yaml")
	yaml = strings.NewReplacer("/usr/local/sbin/denmap-bouncer", script, "update_frequency: 10s", "update_frequency: 1s").Replace(yaml)
	s.victim.WriteFile("/etc/lab/bouncer.yaml", yaml)
	background(t, s.victim, []string{"DENMAP=" + denmapPath}, "crowdsec-custom-bouncer", "-c", "/etc/lab/bouncer.yaml")

	waitBanned(s.victim, s.attacker.IPv4, "crowdsec crowdsecurity/ssh-bf")
	if got := <-key; got != "KEY" {
		t.Errorf("API key %q", got)
	}
	if s.attacker.Reaches(s.victim.IPv4, 80, 300*time.Millisecond) {
		t.Error("whom CrowdSec decided against reaches the victim")
	}
	listed := func() bool {
		return strings.Contains(s.victim.MustDenmap("lists", "show", "deny").Stdout, "198.18.7.0/24")
	}
	s.victim.Eventually(15*time.Second, func() error {
		if !listed() {
			return errNotYet("network on the deny list")
		}
		return nil
	})
	answers <- fmt.Sprintf(`{"new":null,"deleted":[%s,%s]}`, address, network)
	waitBanned(s.victim, s.attacker.IPv4, "")
	s.victim.Eventually(15*time.Second, func() error {
		if listed() {
			return errNotYet("empty deny list")
		}
		return nil
	})
	for _, bad := range [][]string{{"add"}, {"adopt", "203.0.113.7", "60", "x", "{}"}, {"add", "203.0.113.7; id", "60", "x", "{}"}} {
		cmd := s.victim.Command(t.Context(), script, bad...)
		cmd.Env = append(cmd.Env, "DENMAP="+denmapPath)
		if r := cmd.Result(); r.Code == 0 || strings.Count(r.Stderr, "\n") != 1 {
			t.Errorf("%q: want one line and a failure: %v", bad, r)
		}
	}
}

// serve answers HTTP on an address of the host until the test ends.
func serve(t *testing.T, h *Host, address string, handler http.Handler) {
	t.Helper()
	var listener net.Listener
	if err := h.Inside(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() { server.Close(); <-done })
}

// TestPrometheusAndNagios runs what is documented against a real daemon:
// the metrics satisfy promtool and the alert rules, and the plugin's line
// is one.
func TestPrometheusAndNagios(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.Configure("metrics: {listen: '127.0.0.1:9790'}\ninterfaces: [" + uplink + "]\n")
	daemon := victim.Attach()

	rules, _ := integration(t, "prometheus/denmap.rules.test.yml")
	victim.MustTool("promtool", "check", "rules", filepath.Join(filepath.Dir(rules), "denmap.rules.yml"))
	cmd := victim.Command(t.Context(), mustTool(t, "promtool"), "test", "rules", filepath.Base(rules))
	cmd.Dir = filepath.Dir(rules)
	if r := cmd.Result(); r.Code != 0 {
		t.Errorf("the rules' own test: %v", r)
	}
	metrics := victim.MustTool("curl", "-sf", "http://127.0.0.1:9790/metrics").Stdout
	lint := victim.Command(t.Context(), mustTool(t, "promtool"), "check", "metrics")
	lint.Stdin = strings.NewReader(metrics)
	if r := lint.Result(); r.Code != 0 {
		t.Errorf("metrics: %v", r)
	}

	_, config := integration(t, "nagios/denmap.cfg")
	_, line, ok := strings.Cut(config, "command[check_denmap]=/usr/bin/sudo /usr/sbin/denmap ")
	if !ok {
		t.Fatalf("no command in %q", config)
	}
	check := func() Result { return victim.Denmap(strings.Fields(line)...) }
	if r := check(); r.Code != 0 || !strings.HasPrefix(r.Stdout, "DENMAP OK") || strings.Count(r.Stdout, "\n") != 1 || !strings.Contains(r.Stdout, " | ") {
		t.Errorf("protected: %v", r)
	}
	daemon.Kill()
	if r := check(); r.Code != 1 || !strings.HasPrefix(r.Stdout, "DENMAP WARNING") {
		t.Errorf("daemon killed: %v", r)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	if r := victim.DenmapCommand(ctx, "detach").Result(); r.Code != 0 {
		t.Fatal(r)
	}
	if r := check(); r.Code != 2 || !strings.HasPrefix(r.Stdout, "DENMAP CRITICAL") {
		t.Errorf("detached: %v", r)
	}
}
