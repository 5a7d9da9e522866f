// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/notify"
)

func mailCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "mail",
		Usage: "try out mail, chat and webhooks",
		Subcommands: []*cli.Command{
			mailTestCommand(env),
		},
	}
}

func mailTestCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "test",
		Usage: "send a test message to everybody who is told of scans",
		Description: "Sends at once to the recipients of mail.to and to every URL of notify.urls, and\n" +
			"says what is wrong where that fails. Exit code 1 if anything was refused.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			cfg, err := withoutArguments(c, env.loadConfig)
			if err != nil {
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				return fmt.Errorf("name this host: %w", err)
			}
			o := notifyOptions(cfg, host)
			if !o.Enabled() {
				return withHint(fmt.Errorf("mail test: nobody is to be told"),
					"set mail.host and mail.to, or notify.urls, in %s", env.ConfigPath)
			}
			o.Version = version()
			results, err := notify.Test(c.Context, o)
			if err != nil {
				return err
			}
			report := mailReport{Schema: schema, Targets: []mailTarget{}}
			for _, r := range results {
				report.Targets = append(report.Targets, mailTargetOf(r))
			}
			if c.Bool("json") {
				err = env.writeJSON(report)
			} else {
				err = env.writeText(report.text(cfg.Mail))
			}
			if err == nil && !report.delivered() {
				err = exitCode(exitFailed)
			}
			return err
		},
	}
}

// mailTargetName is what package notify calls the mail server.
const mailTargetName = "mail"

// mailReport is the JSON document of mail test.
type mailReport struct {
	Schema  int          `json:"schema"`
	Targets []mailTarget `json:"targets"`
}

type mailTarget struct {
	Target      string        `json:"target"`
	Accepted    bool          `json:"accepted"` // by the server, for at least one recipient
	Explanation string        `json:"explanation,omitempty"`
	Refused     []mailRefusal `json:"refused,omitempty"`
}

type mailRefusal struct {
	Recipient string `json:"recipient"`
	Answer    string `json:"answer"`
}

func mailTargetOf(r notify.TestResult) mailTarget {
	t := mailTarget{Target: r.Target, Accepted: r.Err == nil, Explanation: r.Explanation}
	for _, refusal := range r.Refused {
		t.Refused = append(t.Refused, mailRefusal{refusal.Recipient, refusal.Answer})
	}
	return t
}

func (r mailReport) delivered() bool {
	for _, t := range r.Targets {
		if !t.Accepted || len(t.Refused) > 0 {
			return false
		}
	}
	return true
}

func (r mailReport) text(cfg config.Mail) string {
	var text strings.Builder
	for _, t := range r.Targets {
		name := printable(t.Target)
		switch {
		case !t.Accepted:
			fmt.Fprintf(&text, "%s: FAILED: %s\n", name, printable(t.Explanation))
		case t.Target == mailTargetName:
			fmt.Fprintf(&text, "%s: %s port %d accepted a test message to %s\n",
				name, printable(cfg.Host), cfg.ServerPort(), printable(strings.Join(cfg.To, ", ")))
		default:
			fmt.Fprintf(&text, "%s: accepted a test message\n", name)
		}
		for _, refusal := range t.Refused {
			if t.Accepted {
				fmt.Fprintf(&text, "%s: but REFUSED the recipient %s: %s\n", name, printable(refusal.Recipient), printable(refusal.Answer))
			}
		}
	}
	return text.String()
}
