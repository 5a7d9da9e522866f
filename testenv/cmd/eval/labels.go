// SPDX-License-Identifier: MIT

package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
)

// label is one row of labels.tsv: a scanner in a capture, or a benign
// capture.
type label struct {
	file    string
	kind    string
	scanner string
	ports   int
	note    string
}

// columns of labels.tsv, by its head.
var columns = []string{"file", "type", "scanner", "distinct_ports", "note"}

func readLabels(path string) ([]label, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("read labels: %q is empty", path)
	}
	at := make(map[string]int)
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, name := range columns {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("read labels: %q has no column %q", path, name)
		}
	}
	var out []label
	for n, row := range rows[1:] {
		l := label{file: row[at["file"]], kind: row[at["type"]], scanner: row[at["scanner"]], note: row[at["note"]]}
		if ports := row[at["distinct_ports"]]; ports != "" {
			if l.ports, err = strconv.Atoi(ports); err != nil {
				return nil, fmt.Errorf("read labels: %q row %d: distinct_ports %q is not a number", path, n+2, ports)
			}
		}
		out = append(out, l)
	}
	return out, nil
}
