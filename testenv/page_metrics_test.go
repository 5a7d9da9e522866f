// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

const metricsURL = "http://127.0.0.1:9790/metrics"

// TestMetrics reads every metric before and after a scan, a ban and a bad
// configuration.
func TestMetrics(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	const config = "metrics: {listen: '127.0.0.1:9790'}\n"
	victim.Configure(config + "interfaces: [eth0, eth7]\n")
	daemon := victim.Attach("--mode", "auto")
	daemon.waitProtecting(uplink)
	victim.Eventually(5*time.Second, func() error {
		_, err := victim.scrape()
		return err
	})
	text, err := victim.scrape()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	for metric, want := range map[string]float64{
		`denmap_scans_total{kind="syn"}`: 0, `denmap_bans_total{grade="blind"}`: 0, "denmap_active_bans": 0,
		`denmap_interface_protected{interface="eth0",mode="native"}`: 1, `denmap_interface_protected{interface="eth7",mode="auto"}`: 0,
		`denmap_events_lost_total{stage="ring-buffer"}`: 0, `denmap_events_lost_total{stage="queue"}`: 0, `denmap_events_lost_total{stage="log"}`: 0,
		`denmap_events_lost_total{stage="history"}`: 0, `denmap_events_lost_total{stage="page"}`: 0, `denmap_events_lost_total{stage="mail"}`: 0,
		"denmap_config_last_reload_successful": 1, "denmap_mail_queue": 0, "denmap_event_latency_seconds_count": 0, "denmap_build_info": 1,
		`denmap_map_entries{map="blind_bans"}`: 0, `denmap_packets_total{interface="eth0",reason="banned",verdict="drop"}`: 0,
	} {
		if got := valueOf(text, metric); got != want {
			t.Errorf("%s is %v before any scan, want %v", metric, got, want)
		}
	}
	if capacity := valueOf(text, `denmap_map_capacity{map="blind_bans"}`); capacity < 1000 {
		t.Errorf("denmap_map_capacity of blind bans is %v", capacity)
	}

	ban(victim, attacker)
	attacker.Tool("nmap", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "3001-3040", victim.IPv4.String())
	victim.WriteFile(ConfigPath, config+"interfaces: [eth0, eth7]\nmode: loud\n")
	daemon.Signal(syscall.SIGHUP)
	victim.Eventually(10*time.Second, func() error {
		text, err := victim.scrape()
		if err != nil {
			return err
		}
		for metric, least := range map[string]float64{
			`denmap_scans_total{kind="syn"}`: 1, `denmap_bans_total{grade="blind"}`: 1, "denmap_active_bans": 1, "denmap_event_latency_seconds_count": 1,
			`denmap_map_entries{map="blind_bans"}`: 1, `denmap_packets_total{interface="eth0",reason="banned",verdict="drop"}`: 40,
		} {
			if got := valueOf(text, metric); got < least {
				return fmt.Errorf("%s is %v after a scan, want at least %v", metric, got, least)
			}
		}
		if got := valueOf(text, "denmap_config_last_reload_successful"); got != 0 {
			return fmt.Errorf("denmap_config_last_reload_successful is %v after a bad configuration", got)
		}
		if strings.Contains(string(text), attacker.IPv4.String()) {
			t.Error("a metric has an address")
		}
		return nil
	})
	victim.WriteFile(ConfigPath, config+"interfaces: [eth0, eth7]\n")
	daemon.Signal(syscall.SIGHUP)
	victim.Eventually(10*time.Second, func() error {
		text, err := victim.scrape()
		if err == nil && valueOf(text, "denmap_config_last_reload_successful") != 1 {
			err = errNotYet("good configuration")
		}
		return err
	})
}

// scrape reads the metrics as Prometheus does.
func (h *Host) scrape() ([]byte, error) {
	response, err := h.HTTPClient().Get(metricsURL)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get metrics: %s", response.Status)
	}
	return io.ReadAll(response.Body)
}

// valueOf returns the value of a metric, with its labels or without; -1 if
// there is none.
func valueOf(text []byte, metric string) float64 {
	for line := range strings.Lines(string(text)) {
		key, number, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if number == "" {
			key, number, _ = strings.Cut(strings.TrimSpace(line), " ")
		} else {
			key += "}"
		}
		if key != metric && !strings.HasPrefix(key, metric+"{") {
			continue
		}
		if value, err := strconv.ParseFloat(number, 64); err == nil {
			return value
		}
	}
	return -1
}
