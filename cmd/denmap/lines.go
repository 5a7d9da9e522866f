// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"time"
)

const (
	// linesQueue is how many lines may wait for a standard error that is
	// read slowly, or not at all.
	linesQueue = 1024

	// linesPatience is how long the end waits for them.
	linesPatience = time.Second
)

// lines writes whole lines from several goroutines. Writing never blocks:
// whoever reads standard error may hang, and protection must not. Lines
// that find no room are counted, and the next one that does says so.
type lines struct {
	w     io.Writer
	queue chan string
	lost  chan int // holds the count of lines that found no room
	quit  chan struct{}
	done  chan struct{}
}

func newLines(w io.Writer) *lines {
	l := &lines{
		w: w, queue: make(chan string, linesQueue), lost: make(chan int, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	l.lost <- 0
	go l.run()
	return l
}

func (l *lines) write(line string) {
	select {
	case l.queue <- line:
	default:
		l.lost <- <-l.lost + 1
	}
}

func (l *lines) run() {
	defer close(l.done)
	for {
		select {
		case line := <-l.queue:
			l.put(line)
		case <-l.quit:
			for {
				select {
				case line := <-l.queue:
					l.put(line)
				default:
					return
				}
			}
		}
	}
}

// put writes one line. Standard error is for people: if it is closed,
// there is nobody.
func (l *lines) put(line string) {
	_, _ = io.WriteString(l.w, line)
	n := <-l.lost
	l.lost <- 0
	if n > 0 {
		_, _ = fmt.Fprintf(l.w, "denmap: %d lines are missing here: standard error was not read\n", n)
	}
}

// close writes what waits, for a moment. It is called once, by the last
// who writes.
func (l *lines) close() {
	close(l.quit)
	timer := time.NewTimer(linesPatience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
	}
}
