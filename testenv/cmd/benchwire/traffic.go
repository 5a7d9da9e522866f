// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"denmap/testenv"
	"denmap/testenv/measure"
)

// setting is what the server's end of the link has while traffic runs.
type setting struct {
	name    string
	target  float64 // how much of a link without a program it is to reach; 0: none
	install func(w *wire) (remove func(), err error)
}

// attached protects the link as a user would.
func attached(mode string) func(*wire) (func(), error) {
	return func(w *wire) (func(), error) {
		d := w.server.Attach(w.near, "--mode", mode)
		return func() { d.Stop() }, nil
	}
}

// load is a kind of traffic, in units per second.
type load struct {
	name    string
	measure func(w *wire, d time.Duration) (float64, error)
}

// httpPort answers requests, iperfPort takes what iperf3 sends.
const (
	httpPort  = 80
	iperfPort = 5201
)

// measureTraffic runs each kind of traffic with and without DenMap. A veth
// pair loses its offloads, and copies packets, as soon as it carries any
// native program: one that passes everything shows what of it is DenMap's.
func measureTraffic(c *testenv.Console, o options) (rows []trafficRow, err error) {
	w := newWire(c)
	pass, err := verdict("bare_pass", xdpPass)
	if err != nil {
		return nil, err
	}
	settings := []setting{
		{"no program", 0, func(*wire) (func(), error) { return func() {}, nil }},
		{"XDP program that only passes", 0, program(pass)},
		{"DenMap, native", 0.97, attached("native")},
		{"DenMap, generic", 0, attached("generic")},
	}
	loads := []load{{"TCP, Gbit/s (iperf3)", throughput}, {"HTTP, requests/s (wrk)", requests}}
	w.server.ServeHTTP(httpPort)
	stop := w.serveIperf()
	defer stop()
	found := make([][][]float64, len(loads)) // by load, setting, round
	for i := range found {
		found[i] = make([][]float64, len(settings))
	}
	for range o.rounds {
		for s, setting := range settings {
			remove, err := setting.install(w)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", setting.name, err)
			}
			for i, l := range loads {
				value, err := l.measure(w, o.duration)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", l.name, setting.name, err)
				}
				found[i][s] = append(found[i][s], value)
			}
			remove()
		}
	}
	for i, l := range loads {
		bare := found[i][0]
		for s, setting := range settings {
			r := trafficRow{Load: l.name, Link: setting.name, Value: measure.Quantile(found[i][s], 0.5)}
			if s > 0 {
				var ratios []float64
				for round, value := range found[i][s] {
					ratios = append(ratios, value/bare[round])
				}
				r.Ratio, r.P10, r.P90, r.Target = measure.Quantile(ratios, 0.5), measure.Quantile(ratios, 0.1), measure.Quantile(ratios, 0.9), setting.target
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// serveIperf runs iperf3's server until stop is called.
func (w *wire) serveIperf() (stop func()) {
	cmd := w.server.Command(w.console.Context(), w.server.ToolPath("iperf3"), "--server", "--port", strconv.Itoa(iperfPort))
	if err := cmd.Start(); err != nil {
		w.console.Fatalf("start iperf3: %v", err)
	}
	w.client.Eventually(5*time.Second, func() error {
		conn, err := w.client.Dial(serverAddr, iperfPort)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return func() {
		// It serves until it is killed; how it ends says nothing.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func throughput(w *wire, d time.Duration) (float64, error) {
	out := w.client.MustTool("iperf3", "--client", serverAddr.String(), "--port", strconv.Itoa(iperfPort),
		"--time", seconds(d), "--omit", "1", "--json").Stdout
	var result struct {
		End struct {
			Received struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		return 0, fmt.Errorf("read what iperf3 says: %w", err)
	}
	if result.End.Received.BitsPerSecond <= 0 {
		return 0, fmt.Errorf("iperf3 received nothing: %s", out)
	}
	return result.End.Received.BitsPerSecond / 1e9, nil
}

func requests(w *wire, d time.Duration) (float64, error) {
	out := w.client.MustTool("wrk", "--threads", "1", "--connections", "32", "--duration", seconds(d),
		fmt.Sprintf("http://%s:%d/", serverAddr, httpPort)).Stdout
	for line := range strings.Lines(out) {
		if value, ok := strings.CutPrefix(line, "Requests/sec:"); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("wrk says no rate: %s", out)
}

// seconds are whole ones, at least one: the tools take no others.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(d.Round(time.Second)/time.Second)))
}
