// SPDX-License-Identifier: MIT

// Package notify tells people what DenMap saw: by mail, by a signed JSON
// webhook and by chat. It decides which events are worth a message (Rules),
// gathers the others in a digest (Digest), writes the messages (Compose),
// keeps undelivered ones on disk (Spool) and hands them to a Sender.
//
// Nothing here can hold up detection: Notifier.Handle only puts the event
// on a bounded queue, one goroutine owns the digest, and each destination
// has a goroutine of its own, so that a mail server that hangs costs that
// goroutine alone.
//
// Delivery is at least once. A message is first written to the spool and
// then taken out of the digest; it leaves the spool when the destination
// has accepted it. A crash in between can repeat a message, with the same
// Message-ID (mail) or X-DenMap-Delivery (webhook).
//
// # Files
//
// Everything lives under Options.StateDir, for root alone:
//
//	spool/ID.DESTINATION.json     one message that waits for one destination
//	spool/failed/                 messages given up, and files that cannot be read
//	notify-state.json             digest, waiting alerts and the day's count
//	notify-status.json            Status, for `denmap status`
//
// # Destinations
//
// Options.URLs takes the service URLs of nicholas-fedor/shoutrrr
// (slack://, telegram://, ntfy://, ...) and, for programs,
//
//	webhook+https://HOST/PATH?secret_file=/etc/denmap/webhook.key
//
// The query parameter secret_file is taken out of the URL before it is
// used; the file obeys the rules of a password file. webhook+http:// is
// refused except to loopback addresses, unless AllowPlaintext is set.
//
// # Verifying a webhook
//
// The body is one JSON object: the ECS event of the log for something that
// is told at once, or a summary with event.action "notification-digest".
// With a secret, each request carries
//
//	X-DenMap-Timestamp: 1767312184                 seconds since 1970
//	X-DenMap-Signature: sha256=HEX
//	X-DenMap-Delivery:  01KE...                    the same on every retry
//
// where HEX is HMAC-SHA256(secret, timestamp + "." + body) in lower case.
// A receiver recomputes it over the raw body, compares in constant time,
// refuses timestamps more than five minutes old and remembers the delivery
// identifiers of those five minutes.
package notify
