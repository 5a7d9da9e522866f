// SPDX-License-Identifier: MIT

package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"denmap/userspace/event"
)

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func absolutePath() scalar[string] {
	return text("path", "an absolute path", func(s string) bool {
		return filepath.IsAbs(s) && filepath.Clean(s) != "/"
	})
}

// credentials is how a path into the directory begins that systemd makes
// for the credentials of a service.
const credentials = "$CREDENTIALS_DIRECTORY/"

// secretFile is a file, or a credential that systemd passes to the service
// (LoadCredential=), by its name or by its path.
func secretFile() scalar[string] {
	return text("path", "an absolute path or the name of a systemd credential", func(s string) bool {
		name, inside := strings.CutPrefix(s, credentials)
		if inside || !strings.Contains(s, "/") {
			return name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
		}
		return filepath.IsAbs(s) && filepath.Clean(s) != "/"
	})
}

// network is a prefix without bits beyond its length, or an address.
func network() scalar[netip.Prefix] {
	return scalar[netip.Prefix]{
		kind: "network", wanted: "a network such as 192.0.2.0/24 or 2001:db8::/32", tag: strTag, format: netip.Prefix.String,
		parse: func(s string) (netip.Prefix, bool) {
			if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
				return netip.PrefixFrom(a, a.BitLen()), true
			}
			p, err := netip.ParsePrefix(s)
			return p, err == nil && p == p.Masked()
		},
	}
}

// actions is an action of the event log.
func actions() scalar[event.Action] {
	return choice(event.ScanDetected, event.SourceBanned, event.SourceUnbanned, event.ScanEnded,
		event.ListChanged, event.Attached, event.Detached, event.EventsLost)
}

func anyText() scalar[string] {
	return text("text", "text without control characters", func(string) bool { return true })
}

func hostName() scalar[string] {
	return text("host", "a host name or an address, without a port", isHost)
}

func mailAddress() scalar[string] {
	return text("address", "a mail address such as admin@example.org", func(s string) bool {
		_, err := mail.ParseAddress(s)
		return err == nil
	})
}

// chatURL only asks for the outer form; which services exist is known to
// the sender. The values carry tokens and are secret.
func chatURL() scalar[string] {
	return secret(text("URL", "a service URL such as telegram://TOKEN@telegram?chats=ID", func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && u.Scheme != "" && strings.Contains(s, "://")
	}))
}

// loopback listens where only this host can connect: the page has no
// login of its own.
func loopback() scalar[string] {
	return text("host:port",
		`a loopback address and port such as 127.0.0.1:8790 (from elsewhere: ssh -L 8790:127.0.0.1:8790 HOST)`,
		func(s string) bool {
			host, ok := hostPort(s)
			if host == "localhost" {
				return ok
			}
			ip, err := netip.ParseAddr(host)
			return ok && err == nil && ip.Unmap().IsLoopback()
		})
}

func listenAddress() scalar[string] {
	return text("host:port", "an address and port such as 127.0.0.1:9790 or :9790", func(s string) bool {
		host, ok := hostPort(s)
		return ok && (host == "" || isHost(host))
	})
}

// hostPort splits a listening address. Port 0, any free one, is allowed.
func hostPort(s string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", false
	}
	_, ok = parsePort(port, 0)
	return host, ok
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
