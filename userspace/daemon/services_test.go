// SPDX-License-Identifier: MIT

package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"denmap/userspace/event"
)

// knows reports whether the kernel was told of a TCP port.
func (w *world) knows(port uint16) (known bool) {
	w.kernel.with(func() { known = w.kernel.services[event.Service{Port: port}] })
	return known
}

// TestServicesOutliveAReboot: what listens is told to the kernel before the
// interface is protected and from then on, and again after a reboot.
func TestServicesOutliveAReboot(t *testing.T) {
	w := newWorld(t, "eth0")
	w.host.services = []event.Service{{Port: 8001}}
	w.run()
	if !w.knows(8001) {
		t.Error("a service from before the start is not known")
	}
	w.host.mu.Lock()
	w.host.services = []event.Service{{Port: 8002}}
	w.host.mu.Unlock()
	w.ticking("a service that started later", func() bool { return w.knows(8002) })
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}

	w.host.services = nil
	w.kernel = newFakeKernel(w.host, w.clock)
	w.run()
	if !w.knows(8001) || !w.knows(8002) {
		t.Errorf("after a reboot only these are known: %v", w.kernel.services)
	}
}

func TestDamagedServicesAreSaidAndReplaced(t *testing.T) {
	w := newWorld(t, "eth0")
	path := filepath.Join(w.config.StateDir, "services.json")
	w.write(path, "{")
	w.run()
	if got := w.saying(); !strings.Contains(got, "services.json") {
		t.Errorf("it said %q", got)
	}
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) == "{" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}
