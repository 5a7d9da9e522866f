// SPDX-License-Identifier: MIT

package notify

import "context"

// TestResult is how one destination took a test message.
type TestResult struct {
	Target      string
	Err         error     // nil: accepted
	Explanation string    // Explain(Err)
	Refused     []Refusal // recipients that were refused while others accepted
}

// Test sends one test message to every destination of o, straight away and
// past the spool and the day's limit, and returns how each took it, in
// order: mail, then Options.URLs. It touches no file of the daemon. The
// error says what is wrong with o.
func Test(ctx context.Context, o Options) ([]TestResult, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	targets, err := newTargets(o)
	if err != nil {
		return nil, err
	}
	now := o.Clock.Now()
	id, err := newID(now)
	if err != nil {
		return nil, err
	}
	m, err := composer{host: o.Hostname, version: o.Version, loc: o.Location}.test(id, now)
	if err != nil {
		return nil, err
	}
	var results []TestResult
	for _, t := range targets {
		limited, cancel := context.WithTimeout(ctx, o.AttemptTimeout)
		receipt, err := t.sender.Send(limited, t.form.trim(m), nil)
		cancel()
		results = append(results, TestResult{t.name, err, Explain(err), receipt.Refused})
	}
	return results, nil
}
