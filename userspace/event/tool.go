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
