// SPDX-License-Identifier: MIT

import { $, h, setText, show } from "./dom.js";
import { get, key } from "./api.js";
import { fail, start } from "./page.js";
import { buttons } from "./actions.js";
import { scoreCell } from "./score.js";
import { bodyRow, headRow, scanColumns } from "./scans.js";
import { exact, kindsText, left, moment, networkText, number, placeNode, rate, stateText, timeNode, toolText } from "./format.js";

const address = new URLSearchParams(location.search).get("address") ?? "";
let shown = null; // the latest answer
const columns = scanColumns.filter((c) => !["source", "place", "network"].includes(c.name));

// services are names for the ports that are tried most.
const services = {
  20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 67: "dhcp", 69: "tftp", 80: "http", 110: "pop3", 111: "rpcbind",
  123: "ntp", 135: "msrpc", 139: "netbios", 143: "imap", 161: "snmp", 389: "ldap", 443: "https", 445: "smb", 465: "smtps", 502: "modbus",
  587: "submission", 636: "ldaps", 873: "rsync", 993: "imaps", 995: "pop3s", 1080: "socks", 1433: "mssql", 1521: "oracle", 1723: "pptp",
  1883: "mqtt", 2049: "nfs", 2375: "docker", 3128: "proxy", 3306: "mysql", 3389: "rdp", 5060: "sip", 5432: "postgres", 5555: "adb",
  5900: "vnc", 5985: "winrm", 6379: "redis", 8080: "http-alt", 8443: "https-alt", 9200: "elastic", 11211: "memcached", 27017: "mongodb",
};

function facts(element, list) {
  show(element, list.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function drawNow(a) {
  const r = a.live;
  if (!r) {
    facts($("#now"), [["State", h("span", { class: "dim" }, "neither score nor ban")]]);
    return;
  }
  facts($("#now"), [
    ["State", h("span", { class: "state", data: { state: r.state } }, stateText(r.state))],
    r.source !== a.source && ["Scored as", h("span", { class: "address" }, r.source)],
    r.state === "banned" && ["Ban ends", r.until ? timeNode(r.until, `${moment(r.until)} (in ${left(r.until)})`) : "never by itself"],
    r.reason && ["Why", r.reason],
    ["Score", scoreCell(r, a.scores)],
    ["Kinds", kindsText(r.kinds)],
    ["Tool", toolText(r.tool) + (r.tool && r.tool !== "unknown" ? `, ${r.confidence} confidence` : "")],
    ["Grade", r.grade ?? "–"],
    ["Distinct ports", number(r.distinct)],
    ["Rate", rate(r.rate)],
    ["Dropped", number(r.dropped) + " packets"],
    ["First seen", timeNode(r.first)],
    ["Last seen", timeNode(r.last)],
    r.interface && ["Interface", r.interface],
    r.destination && ["Probed last", h("span", { class: "address" }, r.destination)],
  ]);
}

function drawPast(a) {
  const p = a.past;
  facts($("#past"), !p ? [["Stored", h("span", { class: "dim" }, "nothing")]] : [
    ["First seen", timeNode(p.first)],
    ["Last seen", timeNode(p.last)],
    ["Scans", number(p.scans)],
    ["Bans", number(p.bans)],
    ["Highest score", number(p.max_score)],
    ["Probes", number(p.probes)],
    ["Dropped", number(p.dropped) + " packets"],
    ["Kinds", kindsText(p.kinds)],
    ["Tools", p.tools.map(toolText).join(", ") || "–"],
  ]);
  const ports = [...new Set([...(p?.ports ?? []), ...(a.live?.ports ?? [])])].sort((x, y) => x - y);
  show($("#ports"), ports.length ? ports.map((port) => h("span", { class: "port" }, String(port), services[port] ? h("span", { class: "dim" }, " " + services[port]) : null)) : h("span", { class: "dim" }, "none known"));
}

function drawTables(a) {
  show($("#probes"), a.probes.map((p) => h("tr", {},
    h("td", {}, timeNode(p.time, exact(p.time))), h("td", { class: "number" }, String(p.port)), h("td", {}, p.kind),
    h("td", {}, p.detail), h("td", {}, p.outcome), h("td", {}, p.reason), h("td", { class: "number" }, "+" + p.points), h("td", { class: "number" }, String(p.score)))));
  $("#proof").hidden = a.handshakes.length === 0;
  setText($("#proof"), `New handshakes completed on the ports ${a.handshakes.join(", ")}: the address is its own.`);
  $("#no-probes").hidden = a.probes.length > 0;
  $("#download").hidden = !a.capture;
  show($("#scans tbody"), a.scans.map((s) => bodyRow(columns, s)));
  $("#no-scans").hidden = a.scans.length > 0;
  show($("#bans"), a.bans.map((b) => h("tr", {},
    h("td", {}, timeNode(b.since)), h("td", {}, b.until ? timeNode(b.until) : "no end"), h("td", {}, b.ended ? [timeNode(b.ended), " ", b.end_reason] : "–"),
    h("td", {}, b.grade), h("td", {}, b.reason), h("td", { class: "number" }, number(b.dropped)))));
  $("#no-bans").hidden = a.bans.length > 0;
}

function drawHead(a) {
  show($("#badges"),
    a.live ? h("span", { class: "state", data: { state: a.live.state } }, stateText(a.live.state)) : null,
    a.listed.map((l) => h("a", { class: "badge " + l.list, href: "/lists?list=" + l.list + "&search=" + encodeURIComponent(l.address), title: l.comment || false },
      `on the ${l.list} list${l.watch ? ", watched" : ""}${l.address !== a.source ? " (" + l.address + ")" : ""}`)),
    a.precious ? h("span", { class: "badge protected" }, a.precious) : null);
  const banned = a.live?.state === "banned";
  if ($("#buttons").dataset.banned !== String(banned)) {
    $("#buttons").dataset.banned = String(banned);
    show($("#buttons"), buttons(a.source, banned));
  }
}

async function load() {
  try {
    const a = await get("source", { address });
    setText($("#title"), a.source);
    document.title = a.source + " · DenMap";
    const network = networkText(a.place);
    show($("#where"), placeNode(a.place, true), network ? h("span", { class: "dim" }, " · " + network + (a.place.asn && a.place.as ? " (AS" + a.place.asn + ")" : "")) : null);
    shown = a;
    drawHead(a);
    drawNow(a);
    drawPast(a);
    drawTables(a);
    $("#detail").hidden = false;
    $("#said").hidden = a.problems.length === 0;
    setText($("#said"), a.problems.join(" · "));
  } catch (problem) {
    $("#said").hidden = false;
    setText($("#said"), problem.message);
  }
}

$("#download").addEventListener("click", async () => {
  try {
    const answer = await fetch("/api/v1/source/capture?address=" + encodeURIComponent(address), { headers: { "X-DenMap-Key": key() } });
    if (!answer.ok) throw new Error((await answer.json()).error);
    const url = URL.createObjectURL(await answer.blob());
    const link = h("a", { href: url, download: "denmap-" + address.replaceAll(":", "-").replaceAll("/", "_") + ".pcap" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  } catch (problem) {
    fail(problem);
  }
});

$("#scans thead tr").append(...headRow(columns));
setText($("#title"), address || "Source");
start({
  // What is live comes with the stream; the rest is asked once.
  rows(t) {
    const row = t.rows.find((r) => r.source === shown?.source);
    if (shown && (row || t.removed.includes(shown.source))) {
      shown.live = row ?? null;
      drawHead(shown);
      drawNow(shown);
    }
  },
}, true);
addEventListener("denmap-changed", () => setTimeout(load, 150));
if (address) {
  load();
} else {
  $("#said").hidden = false;
  setText($("#said"), "Enter an address above.");
}
