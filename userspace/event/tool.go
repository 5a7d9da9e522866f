// SPDX-License-Identifier: MIT

package event

// Tool is the program that a probe's headers point to. It is a hint: no
// detection depends on it. The values are those of enum scan_tool in
// bpf/scan.h.
type Tool uint8

// The tools, in the order of bpf/scan.h.
const (
	ToolUnknown Tool = iota
	ToolKernel       // a kernel's connect(); which program called it cannot be told
	ToolRaw          // a raw socket, program unknown
	ToolNmap
	ToolMasscan
	ToolZmap
	ToolHping3
	ToolNping
	ToolScapy
	ToolMirai // sequence number equal to the destination: Mirai and its kin
	toolCount
)

var toolNames = [toolCount]string{
	"unknown", "kernel-connect", "raw-unknown", "nmap", "masscan", "zmap", "hping3",
	"nping", "scapy", "mirai-like",
}

// String returns the name used in the event log, such as "masscan".
func (t Tool) String() string {
	if t >= toolCount {
		return "unknown"
	}
	return toolNames[t]
}

// Confidence says how much a Tool is to be believed.
type Confidence uint8

// The confidences, weakest first.
const (
	Low Confidence = iota
	Medium
	High
)

// String returns "low", "medium" or "high".
func (c Confidence) String() string {
	return [...]string{"low", "medium", "high"}[min(c, High)]
}

// Grade says how sure it is that a source's address is not forged.
type Grade uint8

// The grades.
const (
	Blind  Grade = iota // anybody could have sent these packets
	Proven              // the source completed handshakes of its own
	Manual              // an operator said so
)

// String returns "blind", "proven" or "manual".
func (g Grade) String() string {
	return [...]string{"blind", "proven", "manual"}[min(g, Manual)]
}

// ParseGrade returns the grade that has this name; false if none has.
func ParseGrade(name string) (Grade, bool) {
	for g := Blind; g <= Manual; g++ {
		if g.String() == name {
			return g, true
		}
	}
	return Blind, false
}
