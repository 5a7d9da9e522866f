// SPDX-License-Identifier: MIT

package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decode returns the first YAML document, nil if there is none, and the
// second, of which only the presence matters.
func decode(data []byte) (first, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for _, doc := range []**yaml.Node{&first, &second} {
		var n yaml.Node
		switch err := decoder.Decode(&n); {
		case errors.Is(err, io.EOF):
			return first, second, nil
		case err != nil:
			return nil, nil, err
		}
		*doc = &n
	}
	return first, second, nil
}

// maxLocate bounds the files that are parsed again to find an error.
const maxLocate = 64 << 10

// locate returns the line of a syntax error and its text without the line.
// The library names the line where the broken construct begins, which may
// be far above the slip. So look for the shortest file, cut at the end of a
// line, that is refused with the same words: the slip is on its last line.
func locate(data []byte, err error) (line int, text string) {
	line, text = splitLine(err)
	ends := lineEnds(data)
	line = min(line, len(ends))
	if len(data) > maxLocate {
		return line, text
	}
	low, high := 1, len(ends)
	for low < high {
		middle := (low + high) / 2
		_, _, err := decode(data[:ends[middle-1]])
		same := false
		if err != nil {
			_, t := splitLine(err)
			same = t == text
		}
		if same {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, text
}

// lineEnds returns the offset behind each line, at least one.
func lineEnds(data []byte) []int {
	var ends []int
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] < len(data) {
		ends = append(ends, len(data))
	}
	return ends
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// splitLine takes an error of the library apart. The library leaves out
// the line where that is the first.
func splitLine(err error) (line int, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, err.Error())
	line = 1
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	return line, text
}
