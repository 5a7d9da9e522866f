// SPDX-License-Identifier: MIT

package notify

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func mustOpenSpool(t *testing.T, dir string) *Spool {
	t.Helper()
	s, err := OpenSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spoolMessage(i int) Message {
	return Message{ID: fmt.Sprintf("%04d", i), Created: start.Add(time.Duration(i) * time.Second), Subject: fmt.Sprint("message ", i), Text: "text"}
}

func queued(s *Spool, target string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, e := range s.entries[target] {
		ids = append(ids, e.Message.ID)
	}
	return ids
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestSpoolSurvivesRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	for i := range 3 {
		if err := s.Add("mail", spoolMessage(i), start); err != nil {
			t.Fatal(err)
		}
	}
	e, ok, _ := s.Next("mail", start)
	if !ok || e.Message.ID != "0000" {
		t.Fatalf("next = %+v, want the oldest", e)
	}
	e.Attempts, e.NotBefore, e.Settled, e.LastError = 2, start.Add(time.Hour), []string{"a@example.net"}, "busy"
	if err := s.Retry(e); err != nil {
		t.Fatal(err)
	}
	e, _, _ = s.Next("mail", start)
	if e.Message.ID != "0001" {
		t.Fatalf("next = %q, want the one that need not wait", e.Message.ID)
	}
	if err := s.Done(e); err != nil {
		t.Fatal(err)
	}

	s = mustOpenSpool(t, dir)
	if got := queued(s, "mail"); !slices.Equal(got, []string{"0000", "0002"}) {
		t.Fatalf("queued after a restart: %v", got)
	}
	e, ok, _ = s.Next("mail", start.Add(2*time.Hour))
	if !ok || e.Attempts != 2 || e.LastError != "busy" || !slices.Equal(e.Settled, []string{"a@example.net"}) || e.Message.Subject != "message 0" {
		t.Errorf("entry = %+v", e)
	}
	if st := s.Stats("mail"); st.Queued != 2 || !st.Oldest.Equal(start) || st.Bytes == 0 || st.Volatile != 0 {
		t.Errorf("stats = %+v", st)
	}
	for _, path := range []string{dir, filepath.Join(dir, "0000.mail.json")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}

// A process killed between write and rename leaves a temporary file; its
// message is still in the digest, which makes it again under the same name.
func TestSpoolCrashBeforeRename(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	if err := s.Add("mail", spoolMessage(1), start); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, ".0002.mail.json123456")
	if err := os.WriteFile(half, []byte(`{"version":1,"target":"mail","mess`), 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpenSpool(t, dir)
	if got := files(t, dir); !slices.Equal(got, []string{"0001.mail.json"}) {
		t.Errorf("files = %v", got)
	}
	// Killed after the rename, before the digest was emptied: made again.
	for range 2 {
		if err := s.Add("mail", spoolMessage(2), start); err != nil {
			t.Fatal(err)
		}
		s = mustOpenSpool(t, dir)
	}
	if got := queued(s, "mail"); !slices.Equal(got, []string{"0001", "0002"}) {
		t.Errorf("queued %v, want each once", got)
	}
	if _, failed, _ := s.Lost(); failed != 0 {
		t.Errorf("%d messages counted as lost", failed)
	}
}

// TestSpoolKilled kills, without warning, a process that writes: what it
// knew to be queued is there afterwards, once, and nothing is half there.
func TestSpoolKilled(t *testing.T) {
	const child = "DENMAP_TEST_SPOOL"
	if dir := os.Getenv(child); dir != "" {
		s := mustOpenSpool(t, dir)
		from := 0
		fmt.Sscan(os.Getenv(child+"_FROM"), &from)
		for i := from; ; i++ {
			if err := s.Add(fmt.Sprint("t", i%7), spoolMessage(i), start); err != nil {
				t.Fatal(err)
			}
			fmt.Println("queued", i)
		}
	}
	dir := filepath.Join(t.TempDir(), "spool")
	var acknowledged []string
	next := 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSpoolKilled$")
		cmd.Env = append(os.Environ(), child+"="+dir, fmt.Sprintf("%s_FROM=%d", child, next))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			var i int
			if _, err := fmt.Sscanf(lines.Text(), "queued %d", &i); err != nil {
				continue
			}
			acknowledged = append(acknowledged, fmt.Sprintf("%04d", i))
			next = i + 2 // the one under way may or may not be there
			if n++; n == 20+7*round {
				// What is in the pipe was queued, too.
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed, as it should be
	}
	s := mustOpenSpool(t, dir)
	if _, failed, _ := s.Lost(); failed != 0 {
		t.Errorf("%d files were half written", failed)
	}
	found := map[string]int{}
	for i := range 7 {
		for _, id := range queued(s, fmt.Sprint("t", i)) {
			found[id]++
		}
	}
	for _, id := range acknowledged {
		if found[id] != 1 {
			t.Errorf("message %s is there %d times", id, found[id])
		}
	}
	if len(acknowledged) < 100 || len(found) > len(acknowledged)+5 {
		t.Errorf("%d acknowledged, %d found", len(acknowledged), len(found))
	}
}

func TestSpoolSetsPoisonAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	if err := s.Add("mail", spoolMessage(1), start); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, "0001.mail.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.mail.json": "", "b.mail.json": "{", "c.mail.json": `{"version":7}`, "d.txt": "hello",
		"e.mail.json": string(good), // under another name than its own
		"f.mail.json": strings.Repeat(" ", 3*maxMessage),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "g.mail.json")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "h.mail.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "i.mail.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	s = mustOpenSpool(t, dir)
	if got := queued(s, "mail"); !slices.Equal(got, []string{"0001"}) {
		t.Errorf("queued %v", got)
	}
	if _, failed, _ := s.Lost(); failed != 9 {
		t.Errorf("failed = %d, want 9", failed)
	}
	if got, _ := os.ReadDir(filepath.Join(dir, "failed")); len(got) != 9 {
		t.Errorf("failed holds %v", got)
	}
	s = mustOpenSpool(t, dir)
	if _, failed, _ := s.Lost(); failed != 0 {
		t.Errorf("counted again: %d", failed)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	if err := s.Add("slack", spoolMessage(9999), start); err != nil {
		t.Fatal(err)
	}
	for i := range maxQueued + 30 {
		if err := s.Add("mail", spoolMessage(i), start); err != nil {
			t.Fatal(err)
		}
	}
	got := queued(s, "mail")
	if len(got) != maxQueued || got[0] != "0030" {
		t.Errorf("%d queued from %s, want %d from 0030", len(got), got[0], maxQueued)
	}
	if dropped, _, _ := s.Lost(); dropped != 30 {
		t.Errorf("dropped = %d, want 30", dropped)
	}
	if n := len(queued(s, "slack")); n != 1 {
		t.Error("one destination pushed out the message of another")
	}
	if n := len(files(t, dir)); n != maxQueued+1 {
		t.Errorf("%d files, want %d", n, maxQueued+1)
	}
	big := spoolMessage(5000)
	big.Text = strings.Repeat("x", maxMessage/2)
	for i := range 40 {
		big.ID = fmt.Sprint(5000 + i)
		if err := s.Add("mail", big, start); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats("mail"); st.Bytes > maxQueuedBytes || st.Queued == 0 {
		t.Errorf("stats = %+v, want at most %d bytes", st, maxQueuedBytes)
	}
	big.Text = strings.Repeat("x", maxMessage+1)
	if err := s.Add("mail", big, start); err == nil {
		t.Error("took a message larger than a message may be")
	}
	for _, id := range []string{"../../x", "/x", ".x"} {
		if err := s.Add("mail", Message{ID: id}, start); err == nil {
			t.Errorf("took identifier %q", id)
		}
	}
}

func TestSpoolGivesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	for i := range maxFailed + 5 {
		if err := s.Add("mail", spoolMessage(i), start); err != nil {
			t.Fatal(err)
		}
		e, _, _ := s.Next("mail", start)
		e.LastError = "550 no"
		if err := s.GiveUp(e); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(queued(s, "mail")); n != 0 {
		t.Errorf("%d still queued", n)
	}
	failed := files(t, filepath.Join(dir, "failed"))
	if len(failed) != maxFailed || failed[0] != "0005.mail.json" {
		t.Fatalf("%d files from %s, want the newest %d", len(failed), failed[0], maxFailed)
	}
	data, err := os.ReadFile(filepath.Join(dir, "failed", failed[0]))
	if err != nil || !strings.Contains(string(data), "550 no") {
		t.Errorf("file says %s (%v), want the reason", data, err)
	}
}

// A disk that cannot be written must not lose a message that memory holds.
func TestSpoolWithoutDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Add("mail", spoolMessage(1), start); !errors.Is(err, ErrVolatile) {
		t.Fatalf("err = %v, want ErrVolatile", err)
	}
	if st := s.Stats("mail"); st.Volatile != 1 || st.Queued != 1 {
		t.Errorf("stats = %+v", st)
	}
	if _, _, err := s.Lost(); err == nil {
		t.Error("the failed write is not shown")
	}
	e, ok, _ := s.Next("mail", start)
	if !ok || e.Message.ID != "0001" {
		t.Fatalf("next = %+v", e)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Persist()
	if st := s.Stats("mail"); st.Volatile != 0 {
		t.Errorf("stats after the disk came back = %+v", st)
	}
	if got := queued(mustOpenSpool(t, dir), "mail"); !slices.Equal(got, []string{"0001"}) {
		t.Errorf("queued after a restart: %v", got)
	}
}

func TestSpoolForgets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustOpenSpool(t, dir)
	for _, target := range []string{"mail", "slack"} {
		if err := s.Add(target, spoolMessage(1), start); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Forget([]string{"mail"}); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"0001.mail.json"}) {
		t.Errorf("files = %v", got)
	}
	if dropped, _, _ := s.Lost(); dropped != 1 {
		t.Errorf("dropped = %d", dropped)
	}
}

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for failures := 1; failures < 40; failures++ {
		low, high := backoff(failures, 0), backoff(failures, 0.999999)
		mid := (low + high) / 2
		if low < firstRetry*3/4 || high > lastRetry*5/4 || mid < last {
			t.Errorf("after %d failures: %s to %s", failures, low, high)
		}
		if high <= low {
			t.Errorf("after %d failures: no jitter", failures)
		}
		last = mid
	}
	if last < lastRetry*9/10 {
		t.Errorf("never reaches %s: %s", lastRetry, last)
	}
}
