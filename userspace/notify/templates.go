// SPDX-License-Identifier: MIT

package notify

import (
	htmltemplate "html/template"
	texttemplate "text/template"
)

// page is what the templates see.
type page struct {
	Host     string
	Title    string
	Sections []section
	More     string // what the sections leave out
	Digest   *digestView
	Quota    string // set on the last message of the day
	Version  string
}

const textAlert = `{{range $i, $s := .Sections}}{{if $i}}
{{end}}{{$s.Title}}

{{range $s.Rows}}{{printf "  %-10s %s" .Name .Value}}
{{end}}{{end}}{{if .More}}
{{.More}}
{{end}}{{if .Quota}}
{{.Quota}}
{{end}}
-- 
DenMap{{if .Version}} {{.Version}}{{end}} on {{.Host}}. "denmap status" shows the state, "denmap why ADDRESS" the evidence.
`

const textDigest = `{{.Title}}
{{with .Digest}}{{.Period}}
{{if .Quota}}
This digest is late: the messages of its day were used up.
{{end}}
Totals
  Sources    {{if .AtLeast}}more than {{end}}{{.Sources}}
  Events     {{.Summary}}
{{- if .Beyond}}
             {{.Beyond}} events came from further sources that could not be counted one by one
{{- end}}
{{- if .Overflowed}}
             {{.Overflowed}} events came too fast for this digest and are in the log alone
{{- end}}
{{if .Kinds}}
Kinds (sources)
{{range .Kinds}}{{printf "  %6d  %s" .Count .Name}}
{{end}}{{end}}{{if .Countries}}
Countries (sources)
{{range .Countries}}{{printf "  %6d  %s" .Count .Name}}
{{end}}{{if .MoreC}}          and {{.MoreC}} more
{{end}}{{end}}{{if .Networks}}
Networks (sources)
{{range .Networks}}{{printf "  %6d  %s" .Count .Name}}
{{end}}{{if .MoreN}}          and {{.MoreN}} more
{{end}}{{end}}{{if .Top}}
Top sources
{{range .Top}}  {{.Address}} - {{.Location}}
      {{.Kinds}}; ports: {{.Ports}}; {{.Action}}
{{end}}{{if gt .MoreS 0}}  and {{.MoreS}} more
{{end}}{{end}}{{if .Notes}}
Also
{{range .Notes}}  {{.}}
{{end}}{{if .MoreNotes}}  and {{.MoreNotes}} more
{{end}}{{end}}{{end}}{{if .Quota}}
{{.Quota}}
{{end}}
-- 
DenMap{{if .Version}} {{.Version}}{{end}} on {{.Host}}. "denmap report" shows all of it, "denmap why ADDRESS" the evidence.
`

const htmlAlert = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;color:#222">
{{range .Sections}}<h2 style="font-size:1.1em">{{.Title}}</h2>
<table style="border-collapse:collapse">
{{range .Rows}}<tr><th style="text-align:left;vertical-align:top;padding:2px 12px 2px 0">{{.Name}}</th><td style="padding:2px 0">{{.Value}}</td></tr>
{{end}}</table>
{{end}}{{if .More}}<p>{{.More}}</p>
{{end}}{{if .Quota}}<p><b>{{.Quota}}</b></p>
{{end}}<p style="color:#777;font-size:.85em">DenMap{{if .Version}} {{.Version}}{{end}} on {{.Host}}. <code>denmap status</code> shows the state, <code>denmap why ADDRESS</code> the evidence.</p>
</body></html>
`

const htmlDigest = `{{define "sums"}}<table style="border-collapse:collapse">
{{range .}}<tr><td style="text-align:right;padding:1px 12px 1px 0">{{.Count}}</td><td>{{.Name}}</td></tr>
{{end}}</table>
{{end}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;color:#222">
<h2 style="font-size:1.1em">{{.Title}}</h2>
{{with .Digest}}<p>{{.Period}}</p>
{{if .Quota}}<p>This digest is late: the messages of its day were used up.</p>
{{end}}<p>{{if .AtLeast}}More than {{end}}{{.Sources}} sources; {{.Summary}}.
{{if .Beyond}}{{.Beyond}} events came from further sources that could not be counted one by one. {{end}}{{if .Overflowed}}{{.Overflowed}} events came too fast for this digest and are in the log alone.{{end}}</p>
{{if .Kinds}}<h3 style="font-size:1em">Kinds (sources)</h3>
{{template "sums" .Kinds}}{{end}}{{if .Countries}}<h3 style="font-size:1em">Countries (sources)</h3>
{{template "sums" .Countries}}{{if .MoreC}}<p>and {{.MoreC}} more</p>
{{end}}{{end}}{{if .Networks}}<h3 style="font-size:1em">Networks (sources)</h3>
{{template "sums" .Networks}}{{if .MoreN}}<p>and {{.MoreN}} more</p>
{{end}}{{end}}{{if .Top}}<h3 style="font-size:1em">Top sources</h3>
<table style="border-collapse:collapse">
<tr style="text-align:left"><th>Source</th><th>Location</th><th>Kinds</th><th>Ports</th><th>Action</th></tr>
{{range .Top}}<tr style="vertical-align:top"><td style="padding:1px 12px 1px 0">{{.Address}}</td><td style="padding:1px 12px 1px 0">{{.Location}}</td><td style="padding:1px 12px 1px 0">{{.Kinds}}</td><td style="padding:1px 12px 1px 0">{{.Ports}}</td><td>{{.Action}}</td></tr>
{{end}}</table>
{{if gt .MoreS 0}}<p>and {{.MoreS}} more</p>
{{end}}{{end}}{{if .Notes}}<h3 style="font-size:1em">Also</h3>
<ul>{{range .Notes}}<li>{{.}}</li>
{{end}}</ul>
{{if .MoreNotes}}<p>and {{.MoreNotes}} more</p>
{{end}}{{end}}{{end}}{{if .Quota}}<p><b>{{.Quota}}</b></p>
{{end}}<p style="color:#777;font-size:.85em">DenMap{{if .Version}} {{.Version}}{{end}} on {{.Host}}. <code>denmap report</code> shows all of it, <code>denmap why ADDRESS</code> the evidence.</p>
</body></html>
`

var (
	textAlertTemplate  = texttemplate.Must(texttemplate.New("alert.txt").Parse(textAlert))
	textDigestTemplate = texttemplate.Must(texttemplate.New("digest.txt").Parse(textDigest))
	htmlAlertTemplate  = htmltemplate.Must(htmltemplate.New("alert.html").Parse(htmlAlert))
	htmlDigestTemplate = htmltemplate.Must(htmltemplate.New("digest.html").Parse(htmlDigest))
)
