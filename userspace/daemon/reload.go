// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// reloadPatience is how long a reload waits for the log to be reopened
// before it tells the supervisor that it is done.
const reloadPatience = 5 * time.Second

// refusal is the notice of something that was refused while the daemon
// runs; what was in force stays so.
func refusal(what string, err error) Notice {
	return Notice{Class: ConfigRefused, Key: what, Text: strings.ReplaceAll(err.Error(), "\n", "; ") + "; what was in force before stays so"}
}

// reload reads the configuration again and puts in force what differs. A
// bad one changes nothing; of a good one, each part that cannot be put in
// force stays as it was, and the error says why. The log is reopened in any
// case.
func (d *daemon) reload() (failed error) {
	d.opts.Service.Reloading()
	old, c := d.opts.Config, d.opts.Config
	if d.opts.Load != nil {
		read, err := d.opts.Load()
		if err != nil {
			d.tell.again("configuration", fmt.Sprintf("reload: %v; the old configuration stays in force", err))
			d.out.notice(refusal("configuration", err))
			failed = err
		} else {
			d.tell.fine("configuration", "")
			c = read
		}
	}
	if c.StateDir != old.StateDir {
		d.tell.say(fmt.Sprintf("reload: state_dir stays %q: another one needs a restart", old.StateDir))
		c.StateDir = old.StateDir
	}
	done := d.out.configure(c)
	if !reflect.DeepEqual(settingsOf(old), settingsOf(c)) {
		if err := d.kernel.Reconfigure(settingsOf(c)); err != nil {
			d.tell.again("configuration", fmt.Sprintf("reload: %v; detect and ban stay as they were", err))
			d.out.notice(refusal("configuration", err))
			failed = errors.Join(failed, err)
			c.Detect, c.Ban = old.Detect, old.Ban
		}
	}
	if c.Lists != old.Lists {
		d.lists.follow(c.Lists)
	}
	if len(c.Interfaces) == 0 {
		d.tell.say("warning: reload: no interface is configured: nothing is protected")
	}
	d.opts.Config = c
	d.beat()
	d.guard.configure(c)
	// logrotate compresses the old file as soon as the reload is done.
	status := d.guard.status()
	d.watchers.run(func(ctx context.Context) {
		timer := time.NewTimer(reloadPatience)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		case <-ctx.Done():
		}
		d.opts.Service.Ready(status)
	})
	return failed
}
