// SPDX-License-Identifier: MIT

// Eval runs a folder of labelled captures through `denmap replay` and
// prints what was found, missed, mislabelled, and which benign captures
// raised an alarm. It exits 1 if a scan was missed or mislabelled, or a
// benign capture alarmed. Run as root.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// Thresholds of the default configuration: a label of fewer probes than
// these is not expected to be found.
const (
	alertProbes    = 4
	udpAlertProbes = 8
)

// detection is a line of `denmap replay --json`.
type detection struct {
	Source      string   `json:"source"`
	Destination string   `json:"destination"`
	Verdict     string   `json:"verdict"`
	Outcome     string   `json:"outcome"`
	Scan        []string `json:"scan"`
	Tool        string   `json:"tool"`
	AlertProbes int      `json:"probes_until_alert"`
	BanProbes   int      `json:"probes_until_ban"`
}

func main() {
	denmap := flag.String("denmap", "build/denmap", "the `binary` to evaluate")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: eval [-denmap BINARY] DIRECTORY")
		os.Exit(2)
	}
	failed, err := run(*denmap, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval: error:", err)
		os.Exit(1)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func run(denmap, dir string) (failed int, err error) {
	labels, err := readLabels(filepath.Join(dir, "labels.tsv"))
	if err != nil {
		return 0, err
	}
	byFile := make(map[string][]detection)
	t := newTally()
	for _, l := range labels {
		found, ok := byFile[l.file]
		if !ok {
			if found, err = replay(denmap, filepath.Join(dir, l.file)); err != nil {
				return 0, err
			}
			byFile[l.file] = found
		}
		t.judge(l, found)
	}
	return t.print()
}

// replay runs one capture. A damaged one gives what could be read.
func replay(denmap, path string) ([]detection, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(denmap, "replay", "--json", path)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !strings.Contains(stderr.String(), "damaged")) {
		return nil, fmt.Errorf("replay %q: %w: %s", path, err, strings.TrimSpace(stderr.String()))
	}
	var out []detection
	for dec := json.NewDecoder(&stdout); dec.More(); {
		var d detection
		if err := dec.Decode(&d); err != nil {
			return nil, fmt.Errorf("replay %q: %w", path, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// tally counts verdicts by kind.
type tally struct {
	kinds          map[string]*kindRow
	benign, alarms int
	notes          []string
}

type kindRow struct {
	captures, found, banned, missed, mislabelled, below int
	alert, ban                                          []int
}

func newTally() *tally { return &tally{kinds: make(map[string]*kindRow)} }

func (t *tally) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *tally) judge(l label, found []detection) {
	if l.kind == "benign" {
		t.benign++
		if len(found) > 0 {
			t.alarms++
			t.note("false alarm: %s: %s called %v (%s)", l.file, found[0].Source, found[0].Scan, found[0].Verdict)
		}
		return
	}
	row := t.kinds[l.kind]
	if row == nil {
		row = &kindRow{}
		t.kinds[l.kind] = row
	}
	row.captures++
	i := slices.IndexFunc(found, func(d detection) bool { return d.Source == l.scanner })
	if i < 0 {
		need := alertProbes
		if l.kind == "udp" || l.kind == "syn-horizontal" {
			need = udpAlertProbes
		}
		if l.kind == "probe" || l.kind == "syn-horizontal" || l.ports < need {
			row.below++
			return
		}
		row.missed++
		t.note("missed: %s: %s scan by %s, %d ports", l.file, l.kind, l.scanner, l.ports)
		return
	}
	d := found[i]
	row.found++
	row.alert = append(row.alert, d.AlertProbes)
	if d.Verdict == "ban" {
		row.banned++
		row.ban = append(row.ban, d.BanProbes)
	}
	if l.kind == "probe" {
		t.note("above the threshold: %s: %s, %v after %d probes (%s)", l.file, l.scanner, d.Scan, d.AlertProbes, l.note)
	} else if d.Scan[0] != l.kind {
		row.mislabelled++
		t.note("mislabelled: %s: %s scan by %s called %v", l.file, l.kind, l.scanner, d.Scan)
	}
}

func (t *tally) print() (failed int, err error) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| kind\t| labels\t| found\t| banned\t| missed\t| mislabelled\t| below threshold\t| probes to alert\t| to ban\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	kinds := make([]string, 0, len(t.kinds))
	for k := range t.kinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		r := t.kinds[k]
		failed += r.missed + r.mislabelled
		fmt.Fprintf(w, "| %s\t| %d\t| %d\t| %d\t| %d\t| %d\t| %d\t| %s\t| %s\t|\n",
			k, r.captures, r.found, r.banned, r.missed, r.mislabelled, r.below, span(r.alert), span(r.ban))
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	fmt.Printf("\n%d benign captures, %d with a false alarm\n", t.benign, t.alarms)
	if len(t.notes) > 0 {
		fmt.Println()
	}
	for _, n := range t.notes {
		fmt.Println("-", n)
	}
	return failed + t.alarms, nil
}

// span is the least and the most of some counts.
func span(values []int) string {
	if len(values) == 0 {
		return "-"
	}
	low, high := slices.Min(values), slices.Max(values)
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d-%d", low, high)
}
