// SPDX-License-Identifier: MIT

package loader

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"denmap/bpf"
)

const (
	stackLimit = 512 // bytes, of all functions of a call chain together
	// frameUnit is what each frame is rounded up to by kernels before 6.6
	// and by those without a JIT; others round to 16, and accept more.
	frameUnit = 32
)

var depthsLine = regexp.MustCompile(`(?m)^stack depth ([0-9+]+)`)

// TestStackOnEveryKernel adds up the stack of the deepest call chain as the
// strictest kernel does.
func TestStackOnEveryKernel(t *testing.T) {
	spec, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	if err := specialize(spec, defaults(), flow{ethernet: true, tracked: true}, 1); err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer coll.Close()
	for name, prog := range coll.Programs {
		found := depthsLine.FindStringSubmatch(prog.VerifierLog)
		if found == nil {
			t.Fatalf("%s: the verifier says nothing of its stack: %q", name, prog.VerifierLog)
		}
		calls := callsOf(t, spec.Programs[name].Instructions, strings.Split(found[1], "+"))
		depth, chain := calls.deepest(name)
		t.Logf("%s: %d bytes: %s", name, depth, strings.Join(chain, " > "))
		if depth > stackLimit {
			t.Errorf("%s takes %d bytes of stack, %d are there: %s", name, depth, stackLimit, strings.Join(chain, " > "))
		}
	}
}

// callGraph is the functions of one program by name.
type callGraph map[string]*struct {
	frame int
	calls []string
}

// callsOf reads the call graph out of a linked program. depths are the
// verifier's, in the order of the functions.
func callsOf(t *testing.T, instructions asm.Instructions, depths []string) callGraph {
	t.Helper()
	graph := make(callGraph)
	var current string
	for i := range instructions {
		ins := &instructions[i]
		if name := ins.Symbol(); name != "" && graph[name] == nil && isFunction(instructions, name) {
			if len(graph) == len(depths) {
				t.Fatalf("function %s: the verifier knows only %d", name, len(depths))
			}
			frame, err := strconv.Atoi(depths[len(graph)])
			if err != nil {
				t.Fatal(err)
			}
			graph[name] = &struct {
				frame int
				calls []string
			}{frame: (max(frame, 1) + frameUnit - 1) / frameUnit * frameUnit}
			current = name
		}
		if ins.IsFunctionReference() {
			graph[current].calls = append(graph[current].calls, ins.Reference())
		}
	}
	if len(graph) != len(depths) {
		t.Fatalf("%d functions, the verifier knows %d", len(graph), len(depths))
	}
	return graph
}

// isFunction tells functions from labels: the first symbol is the program,
// and the others are called.
func isFunction(instructions asm.Instructions, name string) bool {
	if instructions[0].Symbol() == name {
		return true
	}
	for i := range instructions {
		if instructions[i].IsFunctionReference() && instructions[i].Reference() == name {
			return true
		}
	}
	return false
}

// deepest returns the most bytes that a chain of calls from name takes, and
// that chain.
func (g callGraph) deepest(name string) (depth int, chain []string) {
	for _, called := range g[name].calls {
		if d, c := g.deepest(called); d > depth {
			depth, chain = d, c
		}
	}
	return depth + g[name].frame, append([]string{name + " " + strconv.Itoa(g[name].frame)}, chain...)
}
