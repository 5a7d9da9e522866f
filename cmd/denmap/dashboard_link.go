// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/daemon/control"
)

// linkWait is how long the daemon may take to answer.
const linkWait = 10 * time.Second

func dashboardCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "dashboard",
		Usage:       "sign in to the web page",
		Subcommands: []*cli.Command{dashboardLinkCommand(env)},
	}
}

func dashboardLinkCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "link",
		Usage: "print a link that signs in to the web page, once, within ten minutes",
		Description: "The page listens on this host alone. To open it on another machine, run there\n" +
			"ssh -L 8790:127.0.0.1:8790 HOST, with the port of dashboard.listen, and open the link.",
		Flags: []cli.Flag{controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			link, err := askLink(c)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return env.writeJSON(struct {
					Schema int    `json:"schema"`
					Link   string `json:"link"`
				}{schema, link})
			}
			return env.writeText(link + "\n")
		},
	}
}

func askLink(c *cli.Context) (string, error) {
	ctx, cancel := context.WithTimeout(background(c), linkWait)
	defer cancel()
	resp, err := control.Call(ctx, c.String("control"), control.Request{Command: commandDashboardLink})
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return "", withHint(err, "the page is the daemon's: systemctl start denmap, or denmap attach")
	case err != nil:
		return "", err
	case resp.Error != "":
		return "", withHint(fmt.Errorf("ask for a link: %s", resp.Error), "is dashboard.listen set? denmap config show tells")
	}
	return resp.Message, nil
}
