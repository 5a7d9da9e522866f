// SPDX-License-Identifier: MIT

package eventlog

// trouble remembers that something does not work, so that it is said once.
type trouble struct{ on bool }

func (t *trouble) failed(reports []string, text string) []string {
	if t.on {
		return reports
	}
	t.on = true
	return append(reports, text)
}

func (t *trouble) worked(reports []string, text string) []string {
	if !t.on {
		return reports
	}
	t.on = false
	return append(reports, text)
}
