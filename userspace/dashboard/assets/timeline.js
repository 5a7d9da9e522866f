// SPDX-License-Identifier: MIT

import { $, debounce, h, setText, show } from "./dom.js";
import { get } from "./api.js";
import { keep, now, spans, start } from "./page.js";
import { chartIn } from "./chart.js";
import { bodyRow, headRow, scanColumns } from "./scans.js";
import { plural } from "./format.js";

const kinds = ["syn", "connect", "fin", "xmas", "null", "ack", "maimon", "odd-flags", "udp", "sctp", "ip-protocol", "os-fingerprint", "fragment", "sweep"];
// often is how often the chart asks again while nobody reads its values.
const often = 30000;
const filters = { source: $("#f-source"), country: $("#f-country"), kind: $("#f-kind"), action: $("#f-action") };
const chart = chartIn();
let next = "";
let asked = 0;

$("#f-kind").append(...kinds.map((k) => h("option", { value: k }, k)));
$("#scans thead tr").append(...headRow(scanColumns));
const query = new URLSearchParams(location.search);
for (const [name, field] of Object.entries(filters)) {
  field.value = query.get(name) ?? "";
}

async function loadChart(options) {
  const mine = ++asked;
  try {
    const answer = await get("timeline", { span: span() }, options);
    if (mine !== asked) return;
    chart.set(answer);
    $("#no-history").hidden = answer.buckets.length > 0;
    const sum = (name) => answer.buckets.reduce((total, b) => total + b[name], 0);
    setText($("#said"), `${plural(sum("alerts"), "alert", "alerts")}, ${plural(sum("bans"), "ban", "bans")}`);
    if ($("details.values").open) show($("#values"), chart.table());
  } catch (problem) {
    setText($("#said"), problem.message);
  }
}

let askedScans = 0;
async function loadScans(more) {
  const mine = ++askedScans;
  const wanted = Object.fromEntries(Object.entries(filters).map(([name, field]) => [name, field.value.trim()]));
  keep(wanted);
  setText($("#f-said"), "");
  Object.values(filters).forEach((f) => f.removeAttribute("aria-invalid"));
  try {
    const answer = await get("scans", { ...wanted, span: span(), after: more ? next : "" });
    if (mine !== askedScans) return;
    const body = $("#scans tbody");
    if (!more) show(body);
    body.append(...answer.scans.map((s) => bodyRow(scanColumns, s)));
    next = answer.next ?? "";
    $("#more").hidden = !next;
    $("#empty").hidden = body.children.length > 0;
  } catch (problem) {
    if (mine !== askedScans) return;
    setText($("#f-said"), problem.message);
    filters[problem.field]?.setAttribute("aria-invalid", "true");
  }
}

$("#filter").addEventListener("submit", (event) => event.preventDefault());
$("#filter").addEventListener("input", debounce(() => loadScans(false), 250));
$("#more").addEventListener("click", () => loadScans(true));
$("details.values").addEventListener("toggle", (event) => {
  if (event.target.open) show($("#values"), chart.table());
});

const span = spans($("#spans"), () => { loadChart(); loadScans(false); });
start();
loadChart();
loadScans(false);
now(() => chart.at < 0 && loadChart({ unattended: true }), often);
