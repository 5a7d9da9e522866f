// SPDX-License-Identifier: MIT

package loader

import (
	"os"

	"github.com/cilium/ebpf/btf"
)

// conntrackModule is there while the kernel has connection tracking, built
// in or as a module.
const conntrackModule = "/sys/module/nf_conntrack"

func hasConntrack() bool {
	_, err := os.Stat(conntrackModule)
	return err == nil
}

// conntrackTypes returns the types of the module, nil where it is built in:
// the kernel's own types are known anyway.
func conntrackTypes(types *btf.Cache) []*btf.Spec {
	spec, err := types.Module("nf_conntrack")
	if err != nil {
		return nil
	}
	return []*btf.Spec{spec}
}
