// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"fmt"
	"net"
	"strings"

	"denmap/userspace/event"
)

// OpenJournal returns a sink that writes to the systemd journal: the
// sentence as MESSAGE, what one filters by as fields of its own
// (DENMAP_ACTION, DENMAP_ID, DENMAP_SOURCE, DENMAP_SCAN), and the JSON
// line as DENMAP_EVENT.
func OpenJournal(o SocketOptions) *SocketSink {
	if o.Path == "" {
		o.Path = journalSocket
	}
	encode := func(e event.Event) ([]byte, error) {
		rec := NewRecord(e, o.Meta)
		line, err := rec.encodeJSON()
		if err != nil {
			return nil, err
		}
		// The journal's native protocol: a line a field. No value has a
		// line end in it, so the binary form is not needed.
		var b bytes.Buffer
		field := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "%s=%s\n", name, value)
			}
		}
		field("MESSAGE", rec.Message)
		field("PRIORITY", fmt.Sprint(priority(e)))
		field("SYSLOG_FACILITY", fmt.Sprint(facility))
		field("SYSLOG_IDENTIFIER", "denmap")
		field("DENMAP_ACTION", string(rec.Event.Action))
		field("DENMAP_ID", rec.Event.ID)
		if s := rec.Event.Scan; s != nil {
			field("DENMAP_SOURCE", getSource(s))
			field("DENMAP_SCAN", strings.Join(s.Kinds.NamesFrom(s.Main), ","))
		}
		field("DENMAP_EVENT", string(line))
		return b.Bytes(), nil
	}
	dial := func() (net.Conn, error) { return net.Dial("unixgram", o.Path) }
	return openSocket("the journal", o, dial, encode)
}
