// SPDX-License-Identifier: MIT

package notify

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// The bounds of a message, in characters.
const (
	maxSubject = 160
	maxShort   = 1500 // chats refuse long messages (Discord 2000, Telegram 4096)
)

// composer writes messages. It holds nothing that changes and is safe for
// concurrent use.
type composer struct {
	host    string
	version string
	loc     *time.Location
}

type executor interface {
	Execute(w io.Writer, data any) error
}

// alerts writes the message for what is told at once. webhooks holds one
// body for each alert, since programs want events, not letters.
func (c composer) alerts(a *Alerts, quota string, now time.Time) (m Message, webhooks []Message, err error) {
	p := page{Host: c.host, Version: clean(c.version, 40), Quota: quota}
	m = Message{ID: a.ID, Kind: KindAlert, Created: now}
	var short strings.Builder
	for i, x := range a.Items {
		s := alertSection(x, c.loc)
		p.Sections = append(p.Sections, s)
		m.Severity = max(m.Severity, x.Severity)
		if len(a.Items) > 1 { // of a single one, the subject says it
			fmt.Fprintf(&short, "%s\n", s.Title)
		}
		for _, r := range s.Rows {
			if len(a.Items) == 1 || r.Name == "Location" || r.Name == "Action" {
				fmt.Fprintf(&short, "%s: %s\n", r.Name, r.Value)
			}
		}
		body, err := c.alertBody(x, fmt.Sprintf("%s-%d", a.ID, i))
		if err != nil {
			return Message{}, nil, err
		}
		webhooks = append(webhooks, Message{
			ID: fmt.Sprintf("%s-%d", a.ID, i), Kind: KindAlert, Severity: x.Severity, Created: now,
			Subject: c.subject(s.Title), Body: body,
		})
	}
	p.Title = p.Sections[0].Title
	if n := len(a.Items) - 1 + a.More; n > 0 {
		p.Title += fmt.Sprintf(" (and %d more)", n)
	}
	if a.More > 0 {
		p.More = fmt.Sprintf("And %s more than can be told one by one: denmap report lists them.",
			plural(a.More, "source", "sources"))
		short.WriteString(p.More)
	}
	m.Subject = c.subject(p.Title)
	m.Short = cut(strings.TrimSpace(short.String()+"\n"+quota), maxShort)
	m.Text, m.HTML, err = render(textAlertTemplate, htmlAlertTemplate, p)
	return m, webhooks, err
}

// digest writes the message for a digest.
func (c composer) digest(d *Digest, quota string, now time.Time) (m, webhook Message, err error) {
	v := d.view(c.loc)
	title := plural(v.Sources, "source", "sources") + " scanned"
	if v.AtLeast {
		title = "more than " + title
	}
	if v.Bans > 0 {
		title += fmt.Sprintf(", %s", plural(v.Bans, "ban", "bans"))
	}
	if v.Sources == 0 {
		title = plural(len(v.Notes)+v.MoreNotes, "change", "changes")
	}
	p := page{Host: c.host, Title: title, Digest: &v, Quota: quota, Version: clean(c.version, 40)}
	m = Message{ID: d.ID, Kind: KindDigest, Severity: SeverityAlert, Created: now, Subject: c.subject(title)}
	if m.Text, m.HTML, err = render(textDigestTemplate, htmlDigestTemplate, p); err != nil {
		return Message{}, Message{}, err
	}
	m.Short = cut(shortDigest(v, quota), maxShort)
	webhook = m
	webhook.Body, err = c.digestBody(d, v, m.Subject, now)
	return m, webhook, err
}

// shortDigest is a digest in a few lines, for chats.
func shortDigest(v digestView, quota string) string {
	var b strings.Builder
	b.WriteString(v.Period + "\n" + v.Summary)
	list := func(name string, counts []count, n int) {
		if len(counts) == 0 {
			return
		}
		words := make([]string, 0, n)
		for _, c := range counts[:min(n, len(counts))] {
			words = append(words, fmt.Sprintf("%s %d", c.Name, c.Count))
		}
		fmt.Fprintf(&b, "\n%s: %s", name, strings.Join(words, ", "))
	}
	list("Kinds", v.Kinds, 5)
	list("Countries", v.Countries, 5)
	list("Networks", v.Networks, 5)
	for i, s := range v.Top {
		if i == 5 {
			break
		}
		fmt.Fprintf(&b, "\n%s (%s): %s, %s", s.Address, s.Location, s.Kinds, s.Action)
	}
	for i, n := range v.Notes {
		if i == 5 {
			break
		}
		b.WriteString("\n" + n)
	}
	if quota != "" {
		b.WriteString("\n" + quota)
	}
	return b.String()
}

// test writes the message of `denmap mail test`.
func (c composer) test(id string, now time.Time) (Message, error) {
	p := page{Host: c.host, Version: clean(c.version, 40), Sections: []section{{
		Title: "test message",
		Rows: []row{
			{"What", "You asked DenMap to send this. Alerts and digests will arrive the same way."},
			{"When", stamp(now, c.loc)},
		},
	}}}
	p.Title = p.Sections[0].Title
	m := Message{ID: id, Kind: KindTest, Severity: SeverityCrafted, Created: now, Subject: c.subject(p.Title),
		Short: p.Sections[0].Rows[0].Value}
	var err error
	if m.Text, m.HTML, err = render(textAlertTemplate, htmlAlertTemplate, p); err != nil {
		return Message{}, err
	}
	m.Body, err = c.testBody(m, now)
	return m, err
}

// subject makes a subject that mail filters can rely on: it starts with
// "[DenMap] HOST: " and is one line.
func (c composer) subject(title string) string {
	return clean("[DenMap] "+c.host+": "+title, maxSubject)
}

func render(text, html executor, p page) (string, string, error) {
	var t, h bytes.Buffer
	if err := text.Execute(&t, p); err != nil {
		return "", "", fmt.Errorf("write message text: %w", err)
	}
	if err := html.Execute(&h, p); err != nil {
		return "", "", fmt.Errorf("write message html: %w", err)
	}
	return t.String(), h.String(), nil
}

// cut shortens s to n characters at the end of a line, if it must.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	s = string(runes[:n-4])
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		s = s[:i]
	}
	return s + "\n..."
}
