// SPDX-License-Identifier: MIT

package packaging

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"denmap/testenv"
)

// TestService is the life of the service on one machine: installed,
// started, under a scan, restarted, killed, upgraded under a flood of the
// banned source, stopped, removed and purged.
func TestService(t *testing.T) {
	needRoot(t)
	lab := testenv.New(t, testenv.Options{Hosts: []string{"victim", "attacker"}})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	older, newer := deb(t, oldVersion), deb(t, newVersion)
	m := boot(t, victim)
	source := attacker.IPv4.String()
	bare := m.listing()

	m.must("dpkg", "-i", m.put(older))
	if state := m.property("ActiveState") + " " + m.property("UnitFileState"); state != "inactive disabled" {
		t.Errorf("after the installation the service is %s, want inactive disabled", state)
	}
	m.protected(false, "after the installation")
	if _, err := m.run("systemctl", "start", "denmap"); err == nil || m.property("NRestarts") != "0" {
		t.Errorf("start without interfaces: %v, %s restarts", err, m.property("NRestarts"))
	}
	m.must("systemctl", "reset-failed", "denmap")
	m.edit("/etc/denmap/denmap.yaml", "#interfaces: []", "interfaces: [eth0]")
	m.edit("/etc/denmap/denmap.yaml", "\nmode: monitor", "\nmode: enforce")
	m.must("systemctl", "start", "denmap")
	m.protected(true, "after the start")
	m.confined()
	m.confinedFiles()

	through := victim.CountTCP(uplink)
	nmap(t, attacker, victim)
	if got := through.From(attacker.IPv4); len(got.Ports) > 8 {
		t.Errorf("nmap -sS reached %d ports, want at most 8", len(got.Ports))
	}
	m.await(10*time.Second, "the ban in the log", func() error {
		if log := m.must("denmap", "log", "--json", "--source", source); !strings.Contains(log, "source-banned") {
			return fmt.Errorf("logged: %s", log)
		}
		return nil
	})
	m.usable("while the service runs")
	m.survives(source)

	flood := startFlood(t, attacker, victim)
	flood.passed(t, 20000)
	before := through.From(attacker.IPv4).Packets
	m.must("dpkg", "-i", m.put(newer))
	after := flood.passed(t, 20000)
	if got := through.From(attacker.IPv4).Packets - before; got != 0 {
		t.Errorf("%d packets of the banned source passed during the upgrade, want none of %d", got, after)
	}
	t.Logf("upgrade under a flood of %d packets: %d passed", after, through.From(attacker.IPv4).Packets-before)
	if got := m.must("denmap", "version"); !strings.HasPrefix(got, "denmap "+newVersion+"\n") {
		t.Errorf("after the upgrade: %s", got)
	}
	if exe := m.must("readlink", "/proc/"+m.property("MainPID")+"/exe"); exe != "/usr/sbin/denmap\n" {
		t.Errorf("the daemon after the upgrade is %s, not the new one", exe)
	}
	if text := m.read("/etc/denmap/denmap.yaml"); !strings.Contains(text, "\ninterfaces: [eth0]\n") {
		t.Error("the upgrade lost the configuration")
	}
	m.banned(source, "after the upgrade")

	m.must("systemctl", "stop", "denmap")
	m.protected(false, "after the stop")
	// The counter would have seen what passed.
	flood.passed(t, 1000)
	if got := through.From(attacker.IPv4).Packets - before; got == 0 {
		t.Error("no packet of the flood passed after the stop: what is counted?")
	}
	flood.stop()
	if pins := strings.TrimSpace(m.must("find", "/sys/fs/bpf/denmap")); pins != "/sys/fs/bpf/denmap" {
		t.Errorf("pins after the stop: %s", pins)
	}
	m.must("denmap", "bans", "add", "192.0.2.2", "--for", "1h")
	m.usable("without a service")
	m.must("systemctl", "enable", "--now", "denmap")
	m.banned(source, "after the next start")

	m.must("dpkg", "-r", "denmap")
	m.protected(false, "after the removal")
	m.gone("after the removal")
	m.leftOver(bare, "removal", "etc/denmap", "var/lib/denmap", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")
	m.must("test", "-s", "/var/log/denmap/events.log")
	m.must("grep", "-q", "^interfaces: .eth0.$", "/etc/denmap/denmap.yaml")
	m.must("dpkg", "-P", "denmap")
	m.leftOver(bare, "purge")
	for _, name := range []string{"/var/log/denmap", "/run/denmap"} {
		if out, err := m.run("ls", "-d", name); err == nil {
			t.Errorf("purge left %s", out)
		}
	}
	for _, database := range []string{"passwd", "group"} {
		if out, err := m.run("getent", database, "denmap"); err == nil {
			t.Errorf("purge left the user: %s", out)
		}
	}
}

// gone wants nothing of the service to run, and no pin.
func (m *machine) gone(when string) {
	m.t.Helper()
	if out, err := m.run("systemctl", "cat", "denmap"); err == nil {
		m.t.Errorf("%s the unit is still there: %s", when, out)
	}
	if out := m.must("find", "/proc", "-maxdepth", "1", "-user", "denmap"); out != "" {
		m.t.Errorf("%s processes of the user run: %s", when, out)
	}
	if got := strings.Fields(m.must("stat", "-c", "%a %U %G", "/sys/fs/bpf")); strings.Join(got, " ") != "700 root root" {
		m.t.Errorf("/sys/fs/bpf is %v %s", got, when)
	}
	if out, err := m.run("ls", "/sys/fs/bpf/denmap"); err == nil {
		m.t.Errorf("pins %s: %s", when, out)
	}
}

// confined looks at the running daemon: an ordinary user with three
// capabilities.
func (m *machine) confined() {
	m.t.Helper()
	status := m.must("cat", "/proc/"+m.property("MainPID")+"/status")
	for _, want := range []string{
		// CAP_NET_ADMIN is 12, CAP_PERFMON 38, CAP_BPF 39 (linux/capability.h).
		"CapEff:\t000000c000001000\n", "CapBnd:\t000000c000001000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	} {
		if !strings.Contains(status, want) {
			m.t.Errorf("the daemon's status has no %q:\n%s", want, status)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		m.t.Error("the daemon runs as root")
	}
	m.preferred("/proc/" + m.property("MainPID"))
}

// preferred looks at the threads of the daemon's process. LimitNICE takes a
// systemd with CAP_SYS_RESOURCE, which not every container has: then the
// daemon says so and runs as it is.
func (m *machine) preferred(process string) {
	m.t.Helper()
	if got := m.must("systemctl", "show", "denmap", "--property=LimitNICE", "--value"); got != "30\n" {
		m.t.Errorf("RLIMIT_NICE of the unit is %s, want 30, which is nice -10", got)
	}
	want := "4\n" // that an event passes through
	if m.must("awk", "/^Max nice/ { print $4 }", process+"/limits") != "30\n" {
		want = "0\n"
		if !strings.Contains(m.must("journalctl", "--unit=denmap"), "on a busy host lines may be late") {
			m.t.Error("the daemon does not say that it has no right to prefer threads")
		}
	}
	// proc_pid_stat(5), field 19.
	if got := m.must("sh", "-c", "awk '$19 < 0' "+process+"/task/*/stat | wc -l"); got != want {
		m.t.Errorf("%s threads are preferred, want %s", strings.TrimSpace(got), want)
	}
}

// banned wants the source dropped, and events still recorded by a daemon.
func (m *machine) banned(source, when string) {
	m.t.Helper()
	if got := m.must("denmap", "check", source); !strings.Contains(got, "is dropped: banned") {
		m.t.Errorf("%s: %s", when, got)
	}
	if got := m.property("ActiveState"); got != "active" {
		m.t.Errorf("%s the service is %s", when, got)
	}
	m.protected(true, when)
}

// usable runs commands as root and wants every file to be the service's.
func (m *machine) usable(when string) {
	m.t.Helper()
	m.must("denmap", "lists", "add", "allow", "192.0.2.10", "--for", "1h")
	m.must("denmap", "lists", "add", "deny", "203.0.113.0/24", "--comment", when)
	m.must("denmap", "bans", "add", "192.0.2.3", "--for", "1h")
	m.must("denmap", "history")
	m.must("denmap", "report")
	m.must("denmap", "lists", "remove", "deny", "203.0.113.0/24")
	foreign := m.must("find", "/etc/denmap", "/var/lib/denmap", "/var/log/denmap", "/sys/fs/bpf/denmap", "!", "-user", "denmap")
	if foreign != "" {
		m.t.Errorf("%s: commands left files that are not the service's:\n%s", when, foreign)
	}
}

// survives restarts the daemon in every way there is: the program stays,
// and so does the ban.
func (m *machine) survives(source string) {
	m.t.Helper()
	program, err := m.host.XDP(uplink)
	if err != nil {
		m.t.Fatal(err)
	}
	m.must("systemctl", "reload", "denmap")
	m.must("systemctl", "restart", "denmap")
	m.banned(source, "after a restart")
	if now, err := m.host.XDP(uplink); err != nil || now == program {
		m.t.Errorf("the restarted daemon put no program of its own in place: %d, %v", now, err)
	}
	m.restartsAfter("SIGKILL", func() { m.must("sh", "-c", "kill -KILL "+m.property("MainPID")) })
	m.banned(source, "after SIGKILL")
	// A daemon that hangs is found out by the watchdog.
	m.must("mkdir", "-p", "/run/systemd/system/denmap.service.d")
	m.must("sh", "-c", `printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/denmap.service.d/test.conf`)
	m.must("systemctl", "daemon-reload")
	m.must("systemctl", "restart", "denmap")
	m.restartsAfter("a hang", func() { m.must("sh", "-c", "kill -STOP "+m.property("MainPID")) })
	m.banned(source, "after a hang")
	m.must("rm", "-r", "/run/systemd/system/denmap.service.d")
	m.must("systemctl", "daemon-reload")
}

func (m *machine) restartsAfter(what string, harm func()) {
	m.t.Helper()
	before := m.property("NRestarts")
	harm()
	m.protected(true, "right after "+what)
	m.await(30*time.Second, "a restart after "+what, func() error {
		if now, state := m.property("NRestarts"), m.property("ActiveState"); now == before || state != "active" {
			return fmt.Errorf("%s restarts, %s", now, state)
		}
		return nil
	})
}

func nmap(t *testing.T, attacker, victim *testenv.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := attacker.Command(ctx, "/usr/bin/nmap", "-n", "-Pn", "-sS", "-T4", "--top-ports", "200", victim.IPv4.String()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "200 filtered") {
		t.Errorf("nmap: %v\n%s", err, out)
	}
}

// confinedFiles wants Landlock: a reload that names a file outside of the
// service's directories cannot be followed, although its user could read
// and write it.
func (m *machine) confinedFiles() {
	m.t.Helper()
	m.must("install", "-d", "-m", "0777", "/var/lib/elsewhere")
	m.must("sh", "-c", `echo 'lists: {deny: /var/lib/elsewhere/deny.list}' >/etc/denmap/conf.d/90-test.yaml; echo 192.0.2.77 >/var/lib/elsewhere/deny.list; chmod 644 /etc/denmap/conf.d/90-test.yaml /var/lib/elsewhere/deny.list`)
	m.must("systemctl", "reload", "denmap")
	m.await(10*time.Second, "the refusal of a list elsewhere", func() error {
		if said := m.must("journalctl", "--no-pager", "-u", "denmap", "-n", "20"); !strings.Contains(said, `/var/lib/elsewhere/deny.list`) || !strings.Contains(said, "permission denied") {
			return fmt.Errorf("journal: %s", said)
		}
		return nil
	})
	m.must("rm", "-r", "/var/lib/elsewhere", "/etc/denmap/conf.d/90-test.yaml")
	m.must("systemctl", "reload", "denmap")
}
