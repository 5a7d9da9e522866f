// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"denmap/testenv"
)

// page is all that was found out.
type page struct {
	rows  []row
	twins []twin
}

// twin is a benign twin by one IP version.
type twin struct {
	testenv.Silence
	version int
}

// unexpected counts the rows that are not as they should be.
func (p page) unexpected() (n int) {
	for _, r := range p.rows {
		if r.wrong() != "" {
			n++
		}
	}
	for _, t := range p.twins {
		if !t.Kept() {
			n++
		}
	}
	return n
}

const head = `# Coverage

What DenMap makes of every scanner that its lab has. This page is written by a command, which takes about four minutes
and root:

    make coverage

Every row is one run in fresh network namespaces: a host with DenMap as it comes and three services (ports 22, 80 and
443), the scanner on another host, no router in between. *Failures until* counts the distinct failed probes that the
log names with the alert and with the ban; SYNs to open ports are among them, a point each. *Reached the host* is what
its network stack saw, behind the XDP program, of the packets that the scanner sent. *Twins* are honest programs whose
packets resemble that kind of scan (below).
Packets and answers of each row, but those of sweeps and of other hosts' ports, were recorded as well: *denmap replay*
came to the same verdict, kind and tool.
A cell in **bold** is not as it should be; the command then fails. What the words mean, and what cannot be found:
[detection.md](detection.md).
`

// write writes the page. The writer's errors are those of closing it.
func (p page) write(w io.Writer) {
	fmt.Fprint(w, head)
	fmt.Fprintf(w, "\nTried with %s.\n", strings.Join(testenv.Versions("nmap", "masscan", "zmap", "hping3", "scapy", "kernel"), ", "))
	fmt.Fprint(w, "\n## Scans\n\n")
	table(w, []string{"kind", "scan", "IP", "found", "label", "tool, confidence", "failures until alert, ban", "reached the host", "open ports learned", "twins"}, p.scanRows())
	fmt.Fprint(w, "\n## In front of other hosts\n\nThe same where the ports are another host's: *published* by address "+
		"translation (nftables), *routed*\nbehind the victim, or *bridged*: on the other side of a bridge of which DenMap protects a port. *Reached the\nhost* counts what went past DenMap.\n\n")
	table(w, []string{"place", "scan", "IP", "found", "label", "tool, confidence", "failures until alert, ban", "reached the host", "open ports learned"}, p.placeRows())
	fmt.Fprint(w, "\n## Evasions\n\nWhat each gains over the plain scan that it disguises. T0, T1 and the long delays "+
		"were recorded at full speed,\nspread over the time that they take, and given to the same program by "+
		"`denmap replay`, with that clock; T2 is real.\n\n")
	table(w, []string{"evasion", "IP", "found", "label", "tool, confidence", "failures until alert, ban", "reached the host", "open ports learned", "gains"}, p.evasionRows())
	if len(p.twins) == 0 {
		return
	}
	fmt.Fprint(w, "\n## Benign twins\n\nThe highest score that any source reached, and the highest of UDP; an alert needs 4, "+
		"of UDP 8.\n\n")
	table(w, []string{"twin", "resembles", "IPv4", "IPv6"}, p.twinRows())
}

func table(w io.Writer, heads []string, rows [][]string) {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(heads)
	line(slices.Repeat([]string{"---"}, len(heads)))
	for _, r := range rows {
		for i, cell := range r {
			r[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		line(r)
	}
}

func (p page) scanRows() (out [][]string) {
	for _, r := range p.rows {
		if r.evasion || r.place != "" {
			continue
		}
		kind := r.kind
		if kind == "" {
			kind = "-"
		}
		out = append(out, append([]string{kind, "`" + r.name + "`", fmt.Sprint(r.version)}, append(r.findings(), p.twinsOf(r))...))
	}
	return out
}

func (p page) placeRows() (out [][]string) {
	for _, r := range p.rows {
		if r.place != "" {
			out = append(out, append([]string{r.place, "`" + r.name + "`", fmt.Sprint(r.version)}, r.findings()...))
		}
	}
	return out
}

// findings are the columns that scans and evasions share.
func (r row) findings() []string {
	label, tool, until, reached := strings.Join(r.label, ", "), r.tool, "-", "-"
	if r.verdict == "no" {
		label, tool = "-", "-"
	} else {
		until = dash(r.alert) + ", " + dash(r.ban)
	}
	if tool == "" {
		tool = "none"
	}
	if r.sent >= 0 {
		reached = fmt.Sprintf("%d of %d", r.reached, r.sent)
	}
	verdict := r.verdict
	if why := r.wrong(); why != "" {
		verdict = "**" + verdict + ": " + why + "**"
	} else if r.note != "" {
		verdict += ": " + r.note
	}
	learned := "-"
	if strings.HasPrefix(r.name, "nmap -") && r.sent >= 0 {
		learned = fmt.Sprint(r.open)
	}
	return []string{verdict, label, tool, until, reached, learned}
}

// dash is a count, or that there is none.
func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// twinsOf tells how the twins of the row's kind fared.
func (p page) twinsOf(r row) string {
	silent, loud := 0, 0
	for _, t := range p.twins {
		switch {
		case t.Like != r.kind || t.version != r.version:
		case t.Kept():
			silent++
		default:
			loud++
		}
	}
	switch {
	case loud > 0:
		return fmt.Sprintf("**%d flagged**", loud)
	case silent > 0:
		return fmt.Sprintf("%d silent", silent)
	}
	return "-"
}

func (p page) evasionRows() (out [][]string) {
	for _, r := range p.rows {
		if !r.evasion {
			continue
		}
		gains := "-"
		i := slices.IndexFunc(p.rows, func(b row) bool { return b.name == r.plain && b.version == r.version })
		if i >= 0 {
			gains = r.gains(p.rows[i])
		}
		out = append(out, append([]string{"`" + r.name + "`", fmt.Sprint(r.version)}, append(r.findings(), gains)...))
	}
	return out
}

// twinRows puts both IP versions of a twin into one row.
func (p page) twinRows() (out [][]string) {
	for _, t := range p.twins {
		if t.version != 4 {
			continue
		}
		name := t.Name
		if first := slices.IndexFunc(p.twins, func(o twin) bool { return o.Name == t.Name }); p.twins[first].Group != t.Group {
			name += " (" + t.Group + ")" // the same again, under another condition
		}
		cells := []string{name, t.Like, t.cell(), "-"}
		i := slices.IndexFunc(p.twins, func(o twin) bool { return o.version == 6 && o.Group == t.Group && o.Name == t.Name })
		if i >= 0 {
			cells[3] = p.twins[i].cell()
		}
		out = append(out, cells)
	}
	return out
}

func (t twin) cell() string {
	switch {
	case t.Err != nil:
		return "**not served**"
	case !t.Kept():
		return fmt.Sprintf("**flagged**, score %d, %d", t.Score, t.UDPScore)
	}
	return fmt.Sprintf("silent, score %d, %d", t.Score, t.UDPScore)
}
