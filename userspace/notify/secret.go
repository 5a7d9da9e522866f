// SPDX-License-Identifier: MIT

package notify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSecret bounds a password file, in bytes.
const maxSecret = 4096

// ReadSecret reads a password or key from the file at path. The file must
// be a regular file that nobody but its owner can read or write (mode 0600
// or narrower), unless it lies in credentials, the directory that systemd
// made for the service, whose files are 0440 behind a directory of their
// own. A path without a slash names a credential, and a path may start
// with "$CREDENTIALS_DIRECTORY/". One line break at the end is not part of
// the secret. No error holds the secret.
func ReadSecret(path, credentials string) (string, error) {
	full, trusted, err := secretPath(path, credentials)
	if err != nil {
		return "", err
	}
	// Not blocking: a FIFO in place of the file must not hang the sender.
	f, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("open password file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("inspect password file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("password file %q: not a regular file", full)
	}
	if perm := info.Mode().Perm(); perm&^0o600 != 0 && !trusted {
		return "", fmt.Errorf("password file %q: mode %#o lets others use it, want 0600 (chmod 600 %s)", full, perm, full)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read password file: %w", err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("password file %q: longer than %d bytes", full, maxSecret)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case secret == "":
		return "", fmt.Errorf("password file %q: empty", full)
	case strings.ContainsAny(secret, "\r\n\x00"):
		return "", fmt.Errorf("password file %q: more than one line", full)
	}
	return secret, nil
}

// secretPath returns the file that path stands for, and whether systemd
// vouches for its directory.
func secretPath(path, credentials string) (full string, trusted bool, err error) {
	name, isCredential := strings.CutPrefix(path, "$CREDENTIALS_DIRECTORY/")
	if !isCredential && !strings.Contains(path, "/") {
		name, isCredential = path, true
	}
	if isCredential {
		if name == "" {
			return "", false, errors.New("password file: no name")
		}
		if credentials == "" {
			return "", false, fmt.Errorf("password file %q: not a path, and systemd passed no credentials", path)
		}
		path = filepath.Join(credentials, name)
	}
	full = filepath.Clean(path)
	if credentials != "" {
		// Without symbolic links, so that a link in the directory cannot
		// lend its trust to a file elsewhere.
		dir, err := filepath.EvalSymlinks(credentials)
		if err != nil {
			return full, false, nil
		}
		real, err := filepath.EvalSymlinks(full)
		if err != nil {
			return full, false, nil
		}
		trusted = strings.HasPrefix(real, strings.TrimSuffix(dir, "/")+"/")
	}
	return full, trusted, nil
}
