// SPDX-License-Identifier: MIT

package event

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
