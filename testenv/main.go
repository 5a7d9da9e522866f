// SPDX-License-Identifier: MIT

package testenv

import (
	"flag"
	"os"
)

// parallelTests is how many tests of the lab run at once unless -parallel
// says otherwise: scanners mostly wait, so it may exceed the cores.
const parallelTests = "8"

// Main runs the tests of a package that uses the lab; call it from
// TestMain and exit with its result.
func Main(m interface{ Run() int }) int {
	Reexec()
	flag.Parse()
	explicit := false
	flag.Visit(func(f *flag.Flag) { explicit = explicit || f.Name == "test.parallel" })
	if f := flag.Lookup("test.parallel"); f != nil && !explicit {
		if err := f.Value.Set(parallelTests); err != nil {
			panic(err) // the constant above is a number
		}
	}
	if os.Geteuid() == 0 {
		PrintVersions(os.Stdout)
	}
	return m.Run()
}
