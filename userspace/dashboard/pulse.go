// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"reflect"
	"time"
)

// slowly is how often what is slow to find out is looked at.
const slowly = 5 * time.Second

// pulse is what every page shows at its top.
type pulse struct {
	Time        time.Time   `json:"time"`
	Mode        string      `json:"mode"` // "enforce" or "monitor"
	PausedUntil time.Time   `json:"paused_until,omitzero"`
	Packets     float64     `json:"packets"` // a second
	Drops       float64     `json:"drops"`   // a second
	Sources     int         `json:"sources"`
	Bans        int         `json:"bans"`
	Lost        uint64      `json:"lost"` // events since the start
	MailQueue   int         `json:"mail_queue"`
	Interfaces  []Interface `json:"interfaces"`
	Scores      scores      `json:"scores"`
	Problems    []string    `json:"problems"`
}

// scores are the thresholds, for the bars.
type scores struct {
	Alert    int `json:"alert"`
	Ban      int `json:"ban"`
	UDPAlert int `json:"udp_alert"`
	UDPBan   int `json:"udp_ban"`
}

// counts are the packet counters at a time.
type counts struct {
	at            time.Time
	packets, drop uint64
	lost          uint64
	health        Health
	healthAt      time.Time
}

// measure brings the pulse up to date and reports whether it changed by
// more than the time; h.mu is held.
func (h *hub) measure() (pulse, bool) {
	c := h.opts.Config()
	now := h.opts.Now()
	p := pulse{
		Mode: string(c.Mode), Packets: h.pulse.Packets, Drops: h.pulse.Drops,
		Sources: h.live.total, Bans: h.live.bans, Interfaces: []Interface{}, Problems: []string{},
		Scores: scores{c.Detect.AlertScore, c.Detect.BanScore, c.Detect.UDPAlertScore, c.Detect.UDPBanScore},
	}
	if h.problem != "" {
		p.Problems = append(p.Problems, h.problem)
	}
	if h.opts.Monitor != nil {
		h.measurePackets(&p, now)
		h.measureHealth(&p, now)
	}
	p.Lost += h.counts.lost + h.lost.Load()
	before := h.pulse
	before.Time = time.Time{}
	changed := !reflect.DeepEqual(before, p)
	p.Time = now.UTC().Truncate(time.Second)
	h.pulse = p
	return p, changed
}

// measurePackets turns counters into rates.
func (h *hub) measurePackets(p *pulse, now time.Time) {
	passed := now.Sub(h.counts.at)
	if passed < 900*time.Millisecond && passed >= 0 && !h.counts.at.IsZero() {
		return
	}
	all, err := h.opts.Monitor.Counters()
	if err != nil {
		p.Problems = append(p.Problems, err.Error())
		return
	}
	before := h.counts
	h.counts.at, h.counts.packets, h.counts.drop, h.counts.lost = now, 0, 0, 0
	for _, c := range all {
		switch c.Verdict {
		case "lost":
			h.counts.lost += c.Packets
		case "drop":
			h.counts.drop += c.Packets
			h.counts.packets += c.Packets
		default:
			h.counts.packets += c.Packets
		}
	}
	if before.at.IsZero() || passed <= 0 || passed > time.Minute {
		return
	}
	// An interface that was detached takes its counts along.
	since := func(now, then uint64) float64 {
		if now < then {
			return 0
		}
		return float64(int(float64(now-then)/passed.Seconds() + 0.5))
	}
	p.Packets = since(h.counts.packets, before.packets)
	p.Drops = since(h.counts.drop, before.drop)
}

func (h *hub) measureHealth(p *pulse, now time.Time) {
	if age := now.Sub(h.counts.healthAt); h.counts.healthAt.IsZero() || age < 0 || age >= slowly {
		ctx, cancel := context.WithTimeout(context.Background(), slowly)
		defer cancel()
		health, err := h.opts.Monitor.Health(ctx)
		if err != nil {
			p.Problems = append(p.Problems, err.Error())
			return
		}
		h.counts.health, h.counts.healthAt = health, now
	}
	health := h.counts.health
	p.PausedUntil = health.PausedUntil
	p.Interfaces = append(p.Interfaces, health.Interfaces...)
	for _, i := range health.Interfaces {
		if i.Problem != "" {
			p.Problems = append(p.Problems, i.Name+" is not protected: "+i.Problem)
		}
	}
	if health.Config.Error != "" {
		p.Problems = append(p.Problems, "the configuration was refused: "+health.Config.Error)
	}
	for _, l := range health.Lost {
		p.Lost += l.Count
	}
	if health.Mail != nil {
		p.MailQueue = health.Mail.Queued
		if health.Mail.LastError != "" {
			p.Problems = append(p.Problems, "mail: "+health.Mail.LastError)
		}
	}
	if health.History != nil && !health.History.Available {
		p.Problems = append(p.Problems, "the history is not available")
	}
}
