// SPDX-License-Identifier: MIT

import { $, h, setText, show } from "./dom.js";
import { get } from "./api.js";
import { now, start } from "./page.js";
import { bytes, compact, moment, number, pathNode, timeNode } from "./format.js";

// often is how often the page asks again while somebody sees it.
const often = 5000;

function facts(element, list) {
  show(element, list.filter(Boolean).map(([name, value, bad]) => h("div", {}, h("dt", {}, name), h("dd", { class: bad ? "bad" : false }, value))));
}

function fillBar(t) {
  const part = t.capacity ? t.entries / t.capacity : 0;
  const bar = h("span", { class: "meter wide", data: { level: part > 0.9 ? "ban" : part > 0.7 ? "alert" : "low" }, "aria-hidden": "true" }, h("span", { class: "fill" }));
  bar.style.setProperty("--part", part);
  return [bar, h("span", { class: "value" }, part > 0 && part < 0.01 ? "<1 %" : Math.round(part * 100) + " %")];
}

function draw(a) {
  show($("#interfaces"), (a.interfaces ?? []).map((i) => h("tr", {},
    h("th", { scope: "row" }, i.name),
    h("td", {}, h("span", { class: "state", data: { state: i.problem ? "banned" : "good" } }, i.problem ? "not protected: " + i.problem : "protected")),
    h("td", {}, i.hook), h("td", {}, i.mode), h("td", { class: "spare" }, timeNode(i.since)))));
  show($("#tables"), (a.tables ?? []).map((t) => h("tr", {}, h("th", { scope: "row" }, t.name.replaceAll("_", " ")), h("td", { class: "nowrap" }, fillBar(t)),
    h("td", { class: "number" }, `${number(t.entries)} of ${number(t.capacity)}`), h("td", { class: "number spare" }, bytes(t.bytes)))));
  show($("#counters"), a.counters.filter((c) => c.packets > 0).map((c) => h("tr", {}, h("td", {}, c.interface), h("td", {}, c.verdict), h("td", {}, c.reason.replaceAll("-", " ")), h("td", { class: "number" }, number(c.packets)))));
  facts($("#lost"), a.lost.map((l) => [l.stage, number(l.count), l.count > 0]));
  const m = a.mail;
  facts($("#mail"), !m || !m.enabled ? [["State", "not set up"]] : [
    ["Waiting", number(m.queued)], ["Sent today", `${number(m.sent_today)} of ${number(m.max_per_day)}`], ["Last sent", moment(m.last_sent)],
    ["Next digest", moment(m.next_digest)], m.last_error && ["Problem", m.last_error, true], m.failed > 0 && ["Given up", number(m.failed), true],
  ]);
  const d = a.history;
  facts($("#history"), !d ? [["State", "none is kept"]] : [
    ["State", d.available ? "written" : "not available", !d.available], ["On disk", bytes(d.bytes)], ["Stored since start", number(d.stored)],
    ["Waiting", number(d.queued)], ["Lost", number(d.lost), d.lost > 0],
  ]);
  facts($("#versions"), [...(a.versions ?? []).map((v) => [v.name, v.value]), a.started && ["Running since", moment(a.started)],
    a.config?.file && ["Configuration", pathNode(a.config.file)], a.config?.time && ["Last reload", moment(a.config.time)], a.config?.error && ["Refused", a.config.error, true]]);
}

function tiles(p) {
  setText($("#t-packets"), compact(p.packets) + "/s");
  setText($("#t-drops"), compact(p.drops) + "/s");
  setText($("#t-lost"), number(p.lost));
  $("#t-lost").classList.toggle("bad", p.lost > 0);
  setText($("#t-mail"), number(p.mail_queue));
}

async function load() {
  try {
    draw(await get("health"));
    $("#said").hidden = true;
  } catch (problem) {
    $("#said").hidden = false;
    setText($("#said"), problem.message);
  }
}

start({ pulse: tiles });
load();
now(load, often);
