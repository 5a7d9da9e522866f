// SPDX-License-Identifier: MIT
//
// A table of stored scans, as two views show it.

import { h } from "./dom.js";
import { compact, kindsText, networkText, number, placeNode, sourceURL, stateText, timeNode, toolText } from "./format.js";

export const scanColumns = [
  { name: "time", title: "Last probe", cell: (s) => timeNode(s.last) },
  { name: "source", title: "Address", cell: (s) => h("a", { class: "address", href: sourceURL(s.source) }, s.source) },
  { name: "place", title: "Place", cell: (s) => placeNode(s.place) },
  { name: "network", title: "Network", cell: (s) => h("span", { class: "cut", title: networkText(s.place) || false }, networkText(s.place) || "–") },
  { name: "kinds", title: "Kinds", cell: (s) => h("span", { class: "cut", title: kindsText(s.kinds) }, kindsText(s.kinds)) },
  { name: "tool", title: "Tool", cell: (s) => toolText(s.tool) },
  { name: "ports", title: "Ports", number: true, cell: (s) => h("span", { title: s.ports.length ? "ports " + s.ports.join(", ") : false }, number(s.distinct)) },
  { name: "probes", title: "Probes", number: true, cell: (s) => compact(s.probes) },
  { name: "dropped", title: "Dropped", number: true, cell: (s) => compact(s.dropped) },
  { name: "score", title: "Score", number: true, cell: (s) => number(s.score) },
  { name: "grade", title: "Grade", cell: (s) => s.grade },
  { name: "action", title: "Action", cell: (s) => h("span", { class: "state", data: { state: s.action }, title: s.reason || false }, stateText(s.action)) },
];

export function headRow(columns) {
  return columns.map((c) => h("th", { role: "columnheader", scope: "col", class: "c-" + c.name + (c.number ? " number" : "") }, c.title));
}

export function bodyRow(columns, item) {
  return h("tr", { role: "row" }, columns.map((c) => h("td", { role: "cell", class: "c-" + c.name + (c.number ? " number" : ""), data: { title: c.title } }, c.cell(item))));
}
