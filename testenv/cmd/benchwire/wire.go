// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv"
)

// The processors of the sender and of the receiver.
const (
	senderCPU   = 0
	receiverCPU = 1
)

var (
	serverAddr = netip.MustParseAddr("192.0.2.1")
	clientAddr = netip.MustParseAddr("192.0.2.2")
	bannedAddr = netip.MustParseAddr("192.0.2.66") // on the link: nothing else refuses it
)

// wire is a link between two hosts, a server's and a client's.
type wire struct {
	console        *testenv.Console
	server, client *testenv.Host
	near           string // the server's end; no other interface of the machine has this name
	far            string
}

func newWire(c *testenv.Console) *wire {
	lab := testenv.New(c, testenv.Options{Hosts: []string{"server", "client"}})
	w := &wire{console: c, server: lab.Host("server"), client: lab.Host("client")}
	w.near, w.far = fmt.Sprintf("ws%d", os.Getpid()), fmt.Sprintf("wc%d", os.Getpid())
	lab.Pair(w.server, w.near, netip.PrefixFrom(serverAddr, 24), w.client, w.far, netip.PrefixFrom(clientAddr, 24))
	return w
}

// setThreaded has the server's end received by a kernel thread, which can be
// put on a CPU of its own and says how long it ran. A veth pair otherwise
// receives in the sender's interrupts.
func (w *wire) setThreaded() error {
	// Without this the end takes a sender's frames only while it has a
	// program in its driver.
	w.server.MustTool("ethtool", "-K", w.near, "gro", "on")
	return w.server.Inside(func() error {
		return os.WriteFile(filepath.Join("/sys/class/net", w.near, "threaded"), []byte("1"), 0)
	})
}

// receiver finds the thread that receives and puts it on its CPU.
func (w *wire) receiver() (pid int, err error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		comm, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(comm), "napi/"+w.near) {
			continue // a process that has ended is not the one
		}
		if pid, err = strconv.Atoi(filepath.Base(filepath.Dir(name))); err != nil {
			return 0, err
		}
		return pid, pin(pid, receiverCPU)
	}
	return 0, fmt.Errorf("no thread receives on %q (Linux 5.12 has them)", w.near)
}

// pin puts a thread on a CPU, before all else there: other work of the
// machine would change how many packets it takes at a time.
func pin(thread, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	err := errors.Join(unix.SchedSetaffinity(thread, &set), unix.Setpriority(unix.PRIO_PROCESS, thread, -20))
	if err != nil {
		return fmt.Errorf("put thread %d on CPU %d: %w", thread, cpu, err)
	}
	return nil
}

// account is what the server's end has done so far.
type account struct {
	received uint64        // packets
	busy     time.Duration // that the receiving thread ran
	segments uint64        // that reached TCP: no filter stopped them
}

func (w *wire) account(receiver int) (a account, err error) {
	a.received = w.server.Link(w.near).Attrs().Statistics.RxPackets
	if a.busy, err = ranFor(receiver); err != nil {
		return a, err
	}
	a.segments, err = w.segments()
	return a, err
}

// ranFor returns the processor time of a process. Its clock is named as
// clock_getcpuclockid does.
func ranFor(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0, fmt.Errorf("read processor time of %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// segments returns how many TCP segments the server has received.
func (w *wire) segments() (n uint64, err error) {
	// Beside ns/net of the same process.
	path := filepath.Join(filepath.Dir(w.server.NetworkNamespace()), "../net/snmp")
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read TCP counters: %w", err)
	}
	var head []string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != "Tcp:":
		case head == nil:
			head = fields
		default:
			if i := slices.Index(head, "InSegs"); i > 0 && i < len(fields) {
				return strconv.ParseUint(fields[i], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("read TCP counters: %q has no InSegs", path)
}
