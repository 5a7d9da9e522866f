// SPDX-License-Identifier: MIT

package notify

import (
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// letter makes the mail for m, without its recipients: text and HTML as
// alternatives, and headers that filters can use.
func (s *smtpSender) letter(m Message) (*gomail.Msg, error) {
	letter := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := letter.FromFormat(s.from.Name, s.from.Address); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	// Cleaned once more: spool files are read back from disk.
	letter.Subject(clean(m.Subject, maxSubject))
	letter.SetDateWithValue(m.Created)
	letter.SetMessageIDWithValue(headerToken(m.ID) + "@" + s.hello)
	// RFC 3834: no vacation replies to this.
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetGenHeader("X-DenMap-Kind", headerToken(m.Kind))
	letter.SetGenHeader("X-DenMap-Severity", strconv.Itoa(m.Severity))
	letter.SetGenHeader("X-DenMap-Host", s.hello)
	if m.Severity >= SeverityCritical {
		letter.SetImportance(gomail.ImportanceHigh)
	}
	letter.SetBodyString(gomail.TypeTextPlain, m.Text)
	letter.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return letter, nil
}

// headerToken keeps of s what can stand in any header.
func headerToken(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') {
			return r
		}
		return -1
	}, s)
}

// needsUTF8 reports whether an address is not ASCII, which takes a server
// with SMTPUTF8. Asking for it when it is not needed would make servers
// refuse to pass the mail on to others without it.
func (s *smtpSender) needsUTF8() bool {
	ascii := func(a *mail.Address) bool {
		return !strings.ContainsFunc(a.Address, func(r rune) bool { return r > 127 })
	}
	return !ascii(s.from) || slices.ContainsFunc(s.to, func(a *mail.Address) bool { return !ascii(a) })
}
